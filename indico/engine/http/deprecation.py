"""Deprecation: an action that is still there, and will be withdrawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from tornado.httputil import format_timestamp

from .action import Action, record_of


@dataclass(frozen=True)
class Deprecation:
    """The dates of a deprecation, and the path to use in its place.

    From `sunset_at` on, in seconds since 1970, the action answers 410. `headers` are those of all
    its answers: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` (RFC 8288).
    """

    since: date
    sunset: date | None
    use: str | None
    sunset_at: float
    headers: Mapping[str, str]

    @property
    def farewell(self) -> str:
        """The sentence for a caller after the sunset."""
        instead = f": call {self.use}" if self.use else ""
        return f"This was withdrawn on {self.sunset}{instead}."


def deprecated(
    *, since: date, sunset: date | None = None, use: str | None = None
) -> Callable[[Action], Action]:
    """Tell callers that the action will be withdrawn. From the day `sunset` on it answers 410.

    The days begin at midnight in UTC. `use` is the path to call in its place.

        @deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), use="/user/update")
        @auth
        async def rename(self): ...
    """
    if sunset is not None and sunset < since:
        raise TypeError(f"@deprecated: the sunset, {sunset}, is before {since}.")
    if use is not None and not use.startswith("/"):
        raise TypeError(f"@deprecated: use={use!r} must be a path, like '/user/update'.")
    headers = {"Deprecation": f"@{_midnight(since):.0f}"}
    if sunset is not None:
        headers["Sunset"] = format_timestamp(_midnight(sunset))
    if use is not None:
        headers["Link"] = f'<{use}>; rel="successor-version"'
    end = math.inf if sunset is None else _midnight(sunset)

    def decorate(action: Action) -> Action:
        record_of(action).deprecation = Deprecation(since, sunset, use, end, headers)
        return action

    return decorate


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
