"""One thread beside the event loop, for work that is too long for the loop and too short to send.

The loop gets a turn every few milliseconds meanwhile. Only one call works at a time, so that many
large bodies at once take half of the processor at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Work on a value with fewer bytes of JSON is done before a thread would have begun with it.
LARGE_BYTES = 8 << 10

_thread = ThreadPoolExecutor(1, "large")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(*args, **kwargs)`, called in the thread once all earlier calls have ended.

    if len(text) >= LARGE_BYTES:
        found = await in_thread(search, text)
    """
    call = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_thread, call)
