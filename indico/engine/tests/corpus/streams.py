"""Streams of requests, valid and mutated at random, and random ways to split them."""

from __future__ import annotations

import random
from typing import NamedTuple

from .exchange import chunked, request, with_length

# After each stream, so that a server closes unless it waits for the rest of a request.
LAST = request(b"Connection: close", line=b"GET /last HTTP/1.1")
REQUESTS = (
    with_length(body=b'{"a": [1, 2]}'),
    with_length(b"X-Line: POST /echo HTTP/1.1", body=b"GET /body HTTP/1.1\r\nHost: b\r\n\r\n"),
    with_length(b"Expect: 100-continue", body=b"asked for"),
    with_length(b"Connection: Upgrade", b"Upgrade: a", body=b"not upgraded"),
    with_length(body=b"x", line=b"POST /old HTTP/1.0") + LAST,
    with_length(b"Connection: keep-alive", body=b"kept", line=b"POST /old HTTP/1.0"),
    with_length(b"Expect: 100-continue", b"Connection: keep-alive", line=b"PUT /o HTTP/1.0"),
    request(line=b"GET /nothing HTTP/1.1"),
    request(line=b"HEAD /nothing HTTP/1.1"),
    request(line=b"brew /pot HTTP/1.1"),
    with_length(body=b"beans", line=b"BREW /pot HTTP/1.1"),
    request(line=b"CONNECT a:1 HTTP/1.1"),
    request(line=b"OPTIONS * HTTP/1.1"),
    chunked(b"5\r\n\n\r\nx\n\r\n1\r\nx\r\n0\r\n\r\n"),
    chunked(b'a\r\n0\r\n\r\nGET /\r\n00C\r\n{"a": false}\r\n0\r\n\r\n', b"X-A: \xe4"),
    request(line=b"DELETE /thing HTTP/1.1"),
)
_BYTES = (*b"\r\n\t :;,/0159aAfFxX-\x00\x7f\xff", *range(256))


class Play(NamedTuple):
    """A stream, and the parts in which it is sent."""

    stream: bytes
    parts: tuple[bytes, ...]
    mutated: bool


def make_play(number: int) -> Play:
    """Return the play of this number, the same each time; two of three are mutated."""
    choose = random.Random(number)
    stream = b"".join(choose.choices(REQUESTS, k=choose.randint(1, 4)))
    mutated = number % 3 > 0
    if mutated:
        for _ in range(choose.choice((1, 1, 1, 2, 3))):
            stream = _mutate(choose, stream)
    stream += LAST
    cuts = sorted(choose.choices(range(1, len(stream)), k=choose.randint(1, 4)))
    parts = tuple(stream[i:j] for i, j in zip([0, *cuts], [*cuts, None], strict=True))
    return Play(stream, parts, mutated)


def _mutate(choose: random.Random, stream: bytes) -> bytes:
    """Replace, insert, remove or repeat some bytes of `stream`."""
    at = choose.randrange(len(stream))
    end = at + choose.choice((0, 1, 1, 1, 2, 10))
    new = choose.choice((b"", bytes([choose.choice(_BYTES)]), stream[at:end] * 2, b"\r\n"))
    return stream[:at] + new + stream[end:]
