"""`GET /metrics`: metrics for Prometheus."""

from __future__ import annotations

import asyncio

from ..telemetry import exposition
from .json_handler import JSONHandler


class MetricsHandler(JSONHandler):
    """The text format; OpenMetrics and compression for a client that accepts them."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    async def get(self) -> None:
        headers = self.request.headers
        wanted = headers.get("Accept", ""), headers.get("Accept-Encoding", "")
        page, about = await asyncio.to_thread(exposition.page, f"{self.config.project()}_", *wanted)
        for name, value in about.items():
            self.set_header(name, value)
        self.finish(page)

    async def head(self) -> None:
        await self.get()


MetricsRoute = (r"/metrics", MetricsHandler)
