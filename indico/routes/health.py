"""`GET /healthz` and `GET /readyz`: what a load balancer asks."""

from __future__ import annotations

from indico import db
from indico.error import Unavailable
from indico.routes.json_handler import JSONHandler


class HealthHandler(JSONHandler):
    """Answers while the process lives."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    async def get(self) -> None:
        await self._check()
        self.respond("ok")

    async def head(self) -> None:
        await self.get()

    async def _check(self) -> None:
        """Raises `Unavailable` if not."""


class ReadyHandler(HealthHandler):
    """Answers 503 while MongoDB does not answer, and once the server is stopping."""

    async def _check(self) -> None:
        if self.application.draining:
            raise Unavailable("The server is stopping.")
        if not await db.ping():
            raise Unavailable("MongoDB does not answer.")


HealthRoute = (r"/healthz", HealthHandler)
ReadyRoute = (r"/readyz", ReadyHandler)
