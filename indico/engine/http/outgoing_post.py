"""`post`: one HTTP request to a URL that a user chose, with limits on what the other side does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.netutil import Resolver

from .outgoing import OutgoingClient
from .public_addresses import PublicResolver

__all__ = ["Received", "Unreachable", "post"]

_KEPT_BYTES = 500
_MAX_BYTES = 1_000_000
_MAX_REASON = 200


class Received(NamedTuple):
    """An answer: its status, its headers, and the first 500 bytes of its body."""

    status: int
    headers: Mapping[str, str]
    beginning: bytes


class Unreachable(Exception):
    """The lack of an answer; the message says why."""


class _Answer:
    """The parts of an answer, as they come."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._beginning = b""

    def take_line(self, line: str) -> None:
        """Keep a line of the head; that of an interim answer (1xx) gives way to the next one."""
        if line.startswith("HTTP/"):
            self._head.clear()
        self._head.append(line)

    def take_body(self, piece: bytes) -> None:
        self._beginning += piece[: _KEPT_BYTES - len(self._beginning)]

    @property
    def has_begun(self) -> bool:
        return bool(self._head)

    def received(self) -> Received:
        start, *lines = self._head
        headers = HTTPHeaders.parse("".join(lines))
        return Received(int(start.split()[1]), headers, self._beginning)


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    private: bool = False,
) -> Received:
    """Send a POST, and return the answer; a redirect is not followed.

    The connection goes to public addresses only, unless `private` allows all. A body that is too
    large or too slow is cut off, and the answer counts. Raises `Unreachable` without an answer
    after `seconds`, and `ServerError` inside a transaction.
    """
    answer = _Answer()
    request = HTTPRequest(
        url,
        method="POST",
        body=body,
        headers=HTTPHeaders(headers),
        connect_timeout=seconds,
        request_timeout=seconds,
        follow_redirects=False,
        decompress_response=False,
        header_callback=answer.take_line,
        streaming_callback=answer.take_body,
    )
    resolver = Resolver() if private else PublicResolver()
    client = OutgoingClient(force_instance=True, resolver=resolver, max_body_size=_MAX_BYTES)
    fetching = client.fetch(request, raise_error=False)
    try:
        await fetching
    except Exception as error:  # whatever the other side does is no fault of this one
        if not answer.has_begun:
            raise Unreachable(_reason(error)) from error
    return answer.received()


def _reason(error: Exception) -> str:
    """Return the reason as one line; a `gaierror` or an `SSLError` has a number before."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:_MAX_REASON]
