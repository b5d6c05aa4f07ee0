"""`AsyncTest`: a test whose methods are coroutines."""

from __future__ import annotations

import asyncio
from unittest import IsolatedAsyncioTestCase


class AsyncTest(IsolatedAsyncioTestCase):
    """Base of tests without the debug mode of asyncio, which takes most of the time."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)
