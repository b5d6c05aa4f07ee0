"""Reasons for the end of a client's events: the codes with which a WebSocket is closed."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GOING_AWAY", "SESSION_ENDED", "TOO_SLOW", "UNAVAILABLE", "Ending"]


class Ending(NamedTuple):
    """A code of RFC 6455, section 7.4, and a sentence for a person."""

    code: int
    reason: str


GOING_AWAY = Ending(1001, "The server is stopping: connect again.")
SESSION_ENDED = Ending(1008, "The session has ended: log in again.")
# Its client reads nothing, so nobody sees the code.
TOO_SLOW = Ending(1008, "Too many bytes wait for this client.")
UNAVAILABLE = Ending(1013, "The database is not available right now: try again later.")
