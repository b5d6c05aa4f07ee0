"""What is in the head of every answer: the id of its request, and the date."""

from __future__ import annotations

import functools
import random
import re
import time

from tornado.httputil import HTTPHeaders, format_timestamp

# RFC 9110 leaves it open what an id may be; these can't forge a log line or a header.
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id(headers: HTTPHeaders) -> str:
    """The client's `X-Request-Id` if it is a sane one, else a new one."""
    return sane_id(",".join(headers.get_list("X-Request-Id")))


def sane_id(sent: str) -> str:
    """What was `sent` as an id, or a new one."""
    return sent if _SANE_ID.fullmatch(sent) else new_id()


def new_id() -> str:
    """No secret, but one of so many that no two are alike."""
    return f"{random.getrandbits(64):016x}"


def date() -> str:
    return _date(int(time.time()))


@functools.lru_cache(maxsize=1)
def _date(timestamp: int) -> str:
    return format_timestamp(timestamp)
