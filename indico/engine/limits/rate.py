"""`Rate`: how many calls a limit allows, and in how much time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Rate"]

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}
_TEXT = re.compile(r"(\d{1,9}) ?/ ?(?:(\d{1,4}) )?(second|minute|hour|day)s?")
# The time of one call must be more than the rounding of a double that holds milliseconds.
_MOST_PER_SECOND = 100_000


@dataclass(frozen=True)
class Rate:
    """A number of calls, `count`, that may come at once, and again in the course of `seconds`.

    Rate(10, 60) allows ten calls at once. After these, one more is allowed every six seconds.
    """

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if not (self.count > 0 < self.seconds and self.count <= _MOST_PER_SECOND * self.seconds):
            raise ValueError(f"{self} is no limit: allow from 1 call to 100000 calls a second")

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Return the rate of a text like `10/minute` or `10/5 minutes`. Raises `ValueError`."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no limit, like 10/minute or 100/5 minutes")
        count, times, unit = found.groups()
        return cls(int(count), int(times or 1) * _UNITS[unit])

    def times(self, count: int, seconds: int = 1) -> Rate:
        """Return the rate with `count` times as many calls in `seconds` times as much time."""
        return Rate(self.count * count, self.seconds * seconds)

    @cached_property
    def window_ms(self) -> float:
        """The time in which an empty bucket becomes full."""
        return self.seconds * 1000.0

    @cached_property
    def interval_ms(self) -> float:
        """The time after which an empty bucket has a token again."""
        return self.window_ms / self.count

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The rate as `parse` reads it, like `10/minute`."""
        unit, size = next(each for each in reversed(_UNITS.items()) if not self.seconds % each[1])
        times = self.seconds // size
        return f"{self.count}/{unit}" if times == 1 else f"{self.count}/{times} {unit}s"
