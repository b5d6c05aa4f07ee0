"""Turns: callers in one process that work on the same thing, one or a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from ..error import APIError, Overloaded
from .driver import mongodb

_turns: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()


@asynccontextmanager
async def turn(
    key: Hashable,
    places: int = 1,
    busy: Callable[[], APIError] | None = Overloaded,
    seconds: float | None = None,
) -> AsyncIterator[None]:
    """Wait until fewer than `places` callers with the same key are at work.

    Raises what `busy` returns after `seconds`, or after the setting `mongodb_timeout_seconds`.
    Waits on without `busy`. A turn saves work and memory. It keeps no other process out, so
    nothing may depend on it.

        async with turn(note_id):
            ...
    """
    semaphore = _turns.setdefault(key, asyncio.Semaphore(places))
    try:
        async with asyncio.timeout((seconds or mongodb.timeout_seconds) if busy else None):
            await semaphore.acquire()
    except TimeoutError:
        raise (busy or Overloaded)() from None
    try:
        yield
    finally:
        semaphore.release()
