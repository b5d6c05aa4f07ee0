"""Supervision of the embedded MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..log import LOGGER
from .embedded import Embedded

LOOK_SECONDS = 1.0


async def supervise(
    embedded: Embedded,
    ended: Callable[[], Awaitable[object]],
    started: Callable[[], Awaitable[object]],
) -> None:
    """Start the embedded MongoDB again whenever it has ended, for whatever reason.

    Its port may have changed then, and its data may be gone. So `ended` is to disconnect, and
    `started` is to connect anew, which makes the indexes before anything is written.
    """
    connected = True
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if connected and embedded.running():
            continue
        LOGGER.error("the embedded MongoDB has ended; starting it again")
        connected = False
        await ended()
        try:
            await asyncio.to_thread(embedded.start)
            await started()
            connected = True
        except Exception as error:
            LOGGER.error("%s", error)
