"""Timeouts: many items with one timer, and those of one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TimeoutQueue(Generic[T]):
    """Items that time out after the same number of seconds.

    One timer of the event loop serves all items, because a timer for each takes more memory.
    `timed_out` is called with each item whose time is up.
    """

    def __init__(self, seconds: float, timed_out: Callable[[T], object]) -> None:
        self._seconds = seconds
        self._timed_out = timed_out
        self._ends: dict[T, float] = {}  # in the order of the times
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop  # of the timer

    def start(self, item: T) -> float:
        """Start the time of `item`, or start it anew; return its end on the loop's clock."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()  # costs a system call before Python 3.12
        self._ends.pop(item, None)  # a new key is the last
        end = self._ends[item] = self._loop.time() + self._seconds
        if self._timer is None:
            self._arm(self._loop)
        return end

    def stop(self, item: T) -> None:
        self._ends.pop(item, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._ends:
            item, end = next(iter(self._ends.items()))
            if end > loop.time():
                break
            del self._ends[item]
            self._timed_out(item)
        if self._ends and self._timer is None:  # `timed_out` may have started an item anew
            self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(next(iter(self._ends.values())), self._look, loop)


class BodyTimeout:
    """The time that a client has to send a body."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, timed_out: Callable[[], object]) -> None:
        """Start the time unless it runs already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, timed_out)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
