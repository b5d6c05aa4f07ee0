"""Threads beside the event loop, for work that is too long for the loop and too short to send.

The loop gets a turn every few milliseconds meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from ..error import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

# Work on a value with fewer bytes of JSON is done before a thread would have begun with it.
LARGE_BYTES = 8 << 10

# Only one, so that many large bodies at once take half of the processor at most.
_thread = ThreadPoolExecutor(1, "large")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(*args, **kwargs)`, called in the thread once all earlier calls have ended.

    if len(text) >= LARGE_BYTES:
        found = await in_thread(search, text)
    """
    call = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_thread, call)


class Threads:
    """A few threads for work that releases Python's lock, like a password's hash.

    With `limit` pending calls, the next one raises `Overloaded` with the sentence `busy`.

        _threads = Threads(4, limit=512, busy="Too many people are logging in: try again later.")
    """

    def __init__(self, count: int, limit: int, busy: str) -> None:
        self.limit = limit
        self._busy = busy
        self._pending = 0
        self._executor = ThreadPoolExecutor(count)

    async def run(self, work: Callable[[], T]) -> T:
        if self._pending >= self.limit:
            raise Overloaded(self._busy)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pending -= 1
