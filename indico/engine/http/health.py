"""`GET /healthz` and `GET /readyz`, for a load balancer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from ..error import Unavailable, detail
from ..mongo.connection import ping
from .json_handler import JSONHandler

if TYPE_CHECKING:
    from .application import Application

CHECKS = ("mongodb", "server")


class Readiness(TypedDict):
    """The checks of a server that can work."""

    checks: dict[str, Literal["ok"]]


class HealthHandler(JSONHandler):
    """The check that the process lives."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    async def get(self) -> Literal["ok"] | None:  # type: ignore[override]
        """Return "ok" while the process lives."""
        self.respond("ok")
        return None

    async def head(self) -> None:
        await self.get()


class ChecksFailed(Unavailable):
    """The server can't work; each entry of `details` is a failed check."""

    reasons = ("failed",)

    def __init__(self, failed: dict[str, str]) -> None:
        details = [detail(check, "failed", why) for check, why in failed.items()]
        super().__init__(" ".join(failed.values()), details=details)


class ReadyHandler(JSONHandler):
    """The check that the server can work: 503 without MongoDB, and once the server is stopping."""

    SUPPORTED_METHODS = ("GET", "HEAD")
    own_errors = (ChecksFailed,)

    async def get(self) -> Readiness | None:  # type: ignore[override]
        """Return the checks, if the server can work; each entry of `details` is a failed check."""
        failed = await failed_checks(self.application)
        if failed:
            raise ChecksFailed(failed)
        self.respond({"checks": dict.fromkeys(CHECKS, "ok")})
        return None

    async def head(self) -> None:
        await self.get()


async def failed_checks(application: Application) -> dict[str, str]:
    """Return a sentence for each check that fails."""
    failed = {} if await ping() else {"mongodb": "MongoDB does not answer."}
    return failed | ({"server": "The server is stopping."} if application.stopping else {})


HealthRoute = (r"/healthz", HealthHandler)
ReadyRoute = (r"/readyz", ReadyHandler)
