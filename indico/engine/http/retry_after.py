"""`RetryAfter`: when refused clients may come again, so that refusals leave time for requests."""

from __future__ import annotations

LONGEST = 4
_PERIOD_SECONDS = 1
# A refusal takes about an eighth of the time of a small request.
_MANY = 3 / 4
_FEW = 1 / 4


class RetryAfter:
    """The `seconds` of `Retry-After`: doubled while refusals are many, and halved while few.

    They are many and few in proportion to the admitted requests of the last second. Twice as many
    seconds are half as many refusals, if clients wait for so long.
    """

    seconds = 1

    def __init__(self) -> None:
        self._refused = self._admitted = 0
        self._end = 0.0

    def count(self, refused: int, admitted: int, now: float) -> None:
        """Count `refused` requests. `admitted` is the number of all admitted ones so far."""
        self._refused += refused
        if now < self._end:
            return
        if now >= self._end + _PERIOD_SECONDS:  # nothing was refused for as long
            self.seconds = 1
        else:
            self._adapt(self._refused, admitted - self._admitted)
        self._refused, self._admitted, self._end = 0, admitted, now + _PERIOD_SECONDS

    def _adapt(self, refused: int, admitted: int) -> None:
        if refused > _MANY * admitted:
            self.seconds = min(2 * self.seconds, LONGEST)
        elif refused < _FEW * admitted:
            self.seconds = max(self.seconds // 2, 1)
