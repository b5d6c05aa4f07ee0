"""`/system`: calls that show whether the server answers."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from indico.routes.handler import IndicoHandler
from indico.utils import read_only


class SystemHandler(IndicoHandler):
    """Actions that need neither a token nor the database."""

    @read_only
    async def ping(self) -> Literal["pong"]:
        """Return `"pong"`."""
        return "pong"

    @read_only
    async def echo(self, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the body of the request."""
        return body


SystemRoute = (r"/system/(?P<action>[a-zA-Z_]+)?", SystemHandler)
