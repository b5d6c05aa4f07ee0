"""The header `Connect-Timeout-Ms`: the time that a client gives to its call."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..error import InvalidArgument, detail

HEADER = "Connect-Timeout-Ms"

_DIGITS = 10  # of a positive integer at most, as the Connect protocol says
MOST_MILLISECONDS = 10**_DIGITS - 1
_MILLISECONDS = re.compile(rf"[1-9][0-9]{{0,{_DIGITS - 1}}}")


def client_timeout(sent: Sequence[str]) -> float:
    """Return the seconds in the values of the header. Raises `InvalidArgument` for wrong values."""
    if len(sent) != 1 or not _MILLISECONDS.fullmatch(sent[0]):
        limits = f"milliseconds, from 1 to {MOST_MILLISECONDS}"
        message = f"The header {HEADER} is wrong: it must be {limits}."
        raise InvalidArgument(message, details=[detail(HEADER, "timeout", message)])
    return int(sent[0]) / 1000
