"""One timer for many deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """A timer that rings at the earliest deadline since it last rang.

    A timer for each operation costs more than all else that watches the operation. Most deadlines
    are later than the one before, so the timer is rarely set.

    `ring` gets the time of the loop's clock, and returns the next deadline, if there is one.
    """

    def __init__(self, ring: Callable[[float], float | None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    def set(self, deadline: float) -> None:
        if self._timer is None or deadline < self._deadline:
            self.stop()
            self._deadline = deadline
            self._timer = asyncio.get_running_loop().call_at(deadline, self._wake)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        if (following := self._ring(asyncio.get_running_loop().time())) is not None:
            self.set(following)
