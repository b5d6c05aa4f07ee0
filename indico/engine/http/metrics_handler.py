"""`GET /metrics`: metrics for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

from ..error import PermissionDenied
from ..settings import ServerSettings
from ..tasks import start
from ..telemetry import exposition
from .forwarded import is_in, is_loopback
from .json_handler import JSONHandler


class Pages:
    """The page in each format, rendered once in `metrics_interval_seconds` at most."""

    def __init__(self, settings: ServerSettings) -> None:
        self._prefix = f"{settings.project()}_"
        self._seconds = settings.metrics_interval_seconds
        self._rendered: dict[exposition.Format, tuple[float, asyncio.Task[bytes]]] = {}

    async def get(self, wanted: exposition.Format) -> bytes:
        now = asyncio.get_running_loop().time()
        began, page = self._rendered.get(wanted, (now, None))
        if page is None or (page.done() and (now - began >= self._seconds or page.exception())):
            page = start(asyncio.to_thread(exposition.page, self._prefix, wanted))
            self._rendered[wanted] = now, page
        return await asyncio.shield(page)


class MetricsHandler(JSONHandler):
    """The text format; OpenMetrics and compression for a client that accepts them.

    On the port of the API, it answers loopback, `trusted_proxies` and `metrics_clients` only.
    """

    SUPPORTED_METHODS = ("GET", "HEAD")
    media_types = ("text/plain", "application/openmetrics-text")
    own_errors = (PermissionDenied,)

    def initialize(self, pages: Pages) -> None:
        self._pages = pages

    def prepare(self) -> None:
        super().prepare()
        config, client = self.config, self.request.remote_ip or ""
        if config.metrics_port is None and not (
            is_loopback(client) or is_in(client, config.trusted_proxies + config.metrics_clients)
        ):
            raise PermissionDenied(
                "Only loopback, trusted_proxies and metrics_clients may read /metrics on this port."
            )

    async def get(self) -> str | None:  # type: ignore[override]
        """Return metrics for Prometheus."""
        headers = self.request.headers
        wanted = exposition.choose(headers.get("Accept", ""), headers.get("Accept-Encoding", ""))
        for name, value in wanted.headers.items():
            self.set_header(name, value)
        self.finish(await self._pages.get(wanted))
        return None

    async def head(self) -> None:
        await self.get()


def metrics_route(settings: ServerSettings) -> tuple[str, type[MetricsHandler], dict[str, Any]]:
    return r"/metrics", MetricsHandler, {"pages": Pages(settings)}
