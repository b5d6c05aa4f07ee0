"""`/wait`: calls that wait."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from indico.routes.handler import IndicoHandler
from indico.utils import type_check, unpack

Seconds = Annotated[float, Field(gt=0, le=600)]


class WaitHandler(IndicoHandler):
    """Calls that wait, as a call for news does most of the time."""

    @unpack("seconds")
    @type_check(Seconds)
    async def hold(self, seconds: float) -> float:
        """Answer after `seconds`."""
        await asyncio.sleep(seconds)
        return seconds


WaitRoute = (r"/wait/(?P<action>[a-zA-Z_]+)?", WaitHandler)
