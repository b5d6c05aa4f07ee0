"""The admission window: how many requests are admitted until the delay is measured again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from ..log import LOGGER
from ..run_queue import waited_seconds

MEASURING_SECONDS = 0.01
# A burst admits no more requests, because nothing is known about their delay yet.
LARGEST = 1000
_GROWTH = 10
# The turns for which a request with one operation waits: until its handler begins, its batch is
# made and sent, the answer is taken, its handler goes on, and its line is logged.
TURNS = 6
# Too much load that returns within this time does not have to last again.
_REMEMBERED_SECONDS = 1


class AdmissionWindow:
    """The number of requests that may be admitted, by the delay that all of them meet.

    A delay is what a request waits before anything is done for it: in the event loop, or
    `elsewhere`, which returns seconds for a time of the loop's clock. The time in which other
    programs had the processor does not count, because no refusal would shorten it.

    As with CoDel (RFC 8289), a delay that ends soon is only a burst. A delay that stays over
    `target_seconds` for twice that time is too much load. Each measurement then halves what was
    admitted before it. Otherwise the window grows. So it works as TCP's congestion window.

    Nothing is measured while no request comes.
    """

    def __init__(self, target_seconds: float, elsewhere: Callable[[float], float]) -> None:
        self._target = target_seconds
        self._elsewhere = elsewhere
        self._size = self.left = LARGEST
        self._due: float | None = None
        self._others = 0.0
        self._late_since = math.inf
        self._remembered_until = -math.inf

    def take(self) -> None:
        """Take the place of one request."""
        self.left -= 1
        if self._due is None:
            self._measure_later(asyncio.get_running_loop())

    def _measure_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + MEASURING_SECONDS
        self._others = waited_seconds()
        loop.call_at(self._due, self._wait, loop, self._due, TURNS)

    def _wait(self, loop: asyncio.AbstractEventLoop, due: float, turns: int) -> None:
        """Wait for the event loop as often as a request does."""
        if turns > 1:
            loop.call_soon(self._wait, loop, due, turns - 1)
        else:
            self._measure(loop, due)

    def _measure(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        lag = max(0.0, now - due - (waited_seconds() - self._others))
        wait = self._elsewhere(now)
        admitted = self._size - self.left
        if self._stays(max(lag, wait), now):
            if now > self._remembered_until:
                late = f"the event loop is {lag:.3f} s late, MongoDB's queue {wait:.3f} s"
                LOGGER.warning("too much load, new requests are refused: %s", late)
            self._remembered_until = now + _REMEMBERED_SECONDS
            self._size = max(1, admitted // 2)
        else:
            self._size = min(LARGEST, self._size + _GROWTH)
        self.left = self._size
        if not admitted and self._late_since == math.inf:
            self._due = None
        else:
            self._measure_later(loop)

    def _stays(self, delay: float, now: float) -> bool:
        """Return whether there is too much load, by the delay that is measured now."""
        if delay <= self._target:
            self._late_since = math.inf
            return False
        self._late_since = min(self._late_since, now - delay + self._target)
        return now < self._remembered_until or now - self._late_since >= 2 * self._target
