"""The header `Connect-Timeout-Ms`: the time that a client gives to its call."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..error import InvalidArgument, detail

HEADER = "Connect-Timeout-Ms"

# The Connect protocol: a positive integer of at most ten digits.
_MILLISECONDS = re.compile(r"[1-9][0-9]{0,9}")


def client_timeout(sent: Sequence[str]) -> float:
    """Return the seconds in the values of the header. Raises `InvalidArgument` for wrong values."""
    if len(sent) != 1 or not _MILLISECONDS.fullmatch(sent[0]):
        message = f"The header {HEADER} is wrong: it must be milliseconds, from 1 to 9999999999."
        raise InvalidArgument(message, details=[detail(HEADER, "timeout", message)])
    return int(sent[0]) / 1000
