"""Settings of the processes: their ports, number, end, log and metrics."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from .kinds import Networks, Seconds
from .project import ProjectName, ProjectSettings


class ProcessSettings(ProjectSettings):
    """Settings of the processes, their ports and what they report."""

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
    drain_seconds: Seconds = Field(
        20, description="time for requests in flight to finish when the server stops"
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

    @property
    def has_parent(self) -> bool:
        """True if the server is a parent with workers, False if it is a single process."""
        return self.processes is not None or self.daemon or self.pid_file is not None

    @property
    def log_target(self) -> Path | None:
        """The file for output once the server serves; None leaves output where it is."""
        return self.log_file or (Path(os.devnull) if self.daemon else None)
