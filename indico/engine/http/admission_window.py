"""The admission window: how many requests are admitted until the delay is measured again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from ..log import LOGGER
from .run_queue import waited_seconds

MEASURING_SECONDS = 0.01
LARGEST = 10_000
_GROWTH = 10  # at least
# The delay is looked at in the middle of a burst too, once for so many requests.
_LOOKED_AT = 256
# The turns for which a request waits: until its handler begins, and until its line is logged.
# With an operation, also until its batch is made and sent, and the answer taken and used.
_TURNS = 2
_OPERATION_TURNS = 4
# Too much load that returns within this time does not have to last again.
_REMEMBERED_SECONDS = 1


class AdmissionWindow:
    """The number of requests that may be admitted, by the delay that all of them meet.

    A delay is what a request waits before anything is done for it: in the event loop, or
    `elsewhere`, which returns seconds for a time of the loop's clock. `operations` counts the
    operations on the database that have begun, because a request with one waits more often. The
    time in which other programs had the processor does not count: no refusal would shorten it.

    As with CoDel (RFC 8289), a delay that ends soon is only a burst. A delay that stays over
    `target_seconds` for twice that time is too much load. Each measurement then halves what was
    admitted before it. Otherwise the window grows. TCP's congestion window works like this.

    Nothing is measured while no request comes.
    """

    def __init__(
        self,
        target_seconds: float,
        elsewhere: Callable[[float], float],
        operations: Callable[[], float],
    ) -> None:
        self._target = target_seconds
        self._elsewhere = elsewhere
        self._operations = operations
        self._begun = operations()
        self._turns = _TURNS
        self._size = self.left = LARGEST
        self._measuring = False
        self._due = 0.0
        self._others = 0.0
        self._closed = 0  # the part of the window that a burst may not take
        self._late_since = math.inf
        self._remembered_until = -math.inf

    def take(self) -> None:
        """Take the place of one request."""
        self.left -= 1
        if not self._measuring:
            self._measure_later(asyncio.get_running_loop())
        elif self.left % _LOOKED_AT == 0:
            now = asyncio.get_running_loop().time()
            if self._lag(now) > 3 * self._target:
                self._late_since, self._closed, self.left = self._due, self.left, 0

    def _measure_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._measuring = True
        self._due = loop.time() + MEASURING_SECONDS
        self._others = waited_seconds()
        loop.call_at(self._due, self._wait, loop, self._turns)

    def _wait(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        """Wait for the event loop as often as a request does."""
        if turns > 1:
            loop.call_soon(self._wait, loop, turns - 1)
        else:
            self._measure(loop)

    def _lag(self, now: float) -> float:
        return now - self._due - (waited_seconds() - self._others)

    def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        lag, wait = max(0.0, self._lag(now)), self._elsewhere(now)
        admitted = self._size - self.left - self._closed
        self._count_turns(admitted)
        if self._stays(max(lag, wait), now):
            if now > self._remembered_until:
                late = f"the event loop is {lag:.3f} s late, MongoDB's queue {wait:.3f} s"
                LOGGER.warning("too much load, new requests are refused: %s", late)
            self._remembered_until = now + _REMEMBERED_SECONDS
            self._size = max(1, admitted // 2)
        else:
            self._size = min(LARGEST, self._size + max(_GROWTH, self._size // 8))
        self._measuring = admitted > 0 or self._late_since < math.inf
        if self._measuring:
            self._measure_later(loop)
        else:  # all load is gone, and its window would refuse a burst
            self._size = LARGEST
        self.left, self._closed = self._size, 0

    def _count_turns(self, admitted: int) -> None:
        """Set for how many turns a request waits, by the operations that a request has."""
        begun, self._begun = self._begun, self._operations()
        share = min((self._begun - begun) / max(admitted, 1), 1)
        self._turns = _TURNS + round(_OPERATION_TURNS * share)

    def _stays(self, delay: float, now: float) -> bool:
        """Return whether there is too much load, by the delay that is measured now."""
        if delay <= self._target:
            self._late_since = math.inf
            return False
        self._late_since = min(self._late_since, now)
        return now < self._remembered_until or now - self._late_since >= 2 * self._target
