"""Settings of requests: their number, size, time and origin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .kinds import Networks, OptionalRate, Origins, Seconds, TrustedOrigins
from .project import ProjectSettings


class HTTPSettings(ProjectSettings):
    """Settings of requests and their answers."""

    http_server: Literal["fast", "tornado"] = Field(
        "fast", description="HTTP server below the handlers: httptools, or Tornado's own"
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
    trusted_origins: TrustedOrigins = Field(
        (), description="other origins whose pages may send forms, and calls with a cookie"
    )
    cors_origins: Origins = Field(
        (), description="origins whose pages may call the API: https://example.com, or * for all"
    )
    trusted_proxies: Networks = Field(
        (), description="proxies whose X-Forwarded-For and -Proto are trusted: addresses, networks"
    )
