"""Values in the heads of requests and answers: ids, dates, types."""

from __future__ import annotations

import functools
import random
import re
import time

from tornado.httputil import HTTPHeaders, format_timestamp

# No standard says what an id may be. An id of these characters forges no log line or header.
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id(headers: HTTPHeaders) -> str:
    """Return the client's `X-Request-Id` if it is a sane id, else a new id."""
    sent = headers.get_list("X-Request-Id")
    return sane_id(",".join(sent)) if sent else new_id()


def sane_id(sent: str) -> str:
    """Return `sent` if it is a sane id, else a new id."""
    return sent if _SANE_ID.fullmatch(sent) else new_id()


def new_id() -> str:
    """Return 64 random bits in hex: unique, but no secret."""
    return f"{random.getrandbits(64):016x}"


def media_type(headers: HTTPHeaders) -> str:
    """Return the type of the body without its parameters, in lower case; "" without one."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def challenge(headers: HTTPHeaders) -> str:
    """Return `WWW-Authenticate` for a request with these headers, whose token was not accepted.

    It names an error only if a token was sent (RFC 6750, section 3.1).
    """
    sent = any(value[:7].lower() == "bearer " for value in headers.get_list("Authorization"))
    return 'Bearer error="invalid_token"' if sent else "Bearer"


def date() -> str:
    return _date(int(time.time()))


@functools.lru_cache(maxsize=1)
def _date(timestamp: int) -> str:
    return format_timestamp(timestamp)
