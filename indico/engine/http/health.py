"""`GET /healthz` and `GET /readyz`, for a load balancer."""

from __future__ import annotations

from ..error import Unavailable
from ..mongo.connection import ping
from .json_handler import JSONHandler

CHECKS = ("mongodb", "server")


class HealthHandler(JSONHandler):
    """The check that the process lives."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    async def get(self) -> None:
        self.respond("ok")

    async def head(self) -> None:
        await self.get()


class ReadyHandler(HealthHandler):
    """The check that the server can work: 503 without MongoDB, and once the server is stopping."""

    async def get(self) -> None:
        failed = await self._failed()
        if failed:
            details = [
                {"path": check, "reason": "failed", "message": why} for check, why in failed.items()
            ]
            raise Unavailable(" ".join(failed.values()), details=details)
        self.respond({"checks": dict.fromkeys(CHECKS, "ok")})

    async def _failed(self) -> dict[str, str]:
        """Return a sentence for each check that fails."""
        failed = {} if await ping() else {"mongodb": "MongoDB does not answer."}
        return failed | ({"server": "The server is stopping."} if self.application.stopping else {})


HealthRoute = (r"/healthz", HealthHandler)
ReadyRoute = (r"/readyz", ReadyHandler)
