"""Exchanges: the bytes that a client sends, and what it does after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Exchange:
    """`parts` arrive one by one; `then` is what the client does once the last has left it."""

    parts: tuple[bytes, ...]
    then: Literal["keep", "half-close", "close"] = "keep"


def request(
    *fields: bytes,
    body: bytes = b"",
    line: bytes = b"POST /system/echo HTTP/1.1",
    host: bytes = b"Host: a",
) -> bytes:
    """Return a request whose only header fields are `host`, if it isn't empty, and `fields`."""
    return b"\r\n".join([line, *([host] if host else []), *fields, b"", body])


def with_length(
    *fields: bytes, body: bytes = b"{}", line: bytes = b"POST /system/echo HTTP/1.1"
) -> bytes:
    return request(*fields, b"Content-Length: %d" % len(body), body=body, line=line)


def chunked(body: bytes, *fields: bytes, line: bytes = b"POST /system/echo HTTP/1.1") -> bytes:
    """`body` is sent as it is: with its chunk sizes."""
    return request(*fields, b"Transfer-Encoding: chunked", body=body, line=line)


def named(name: bytes) -> bytes:
    """Return a request whose answer is recognized by its `X-Request-Id`."""
    return with_length(b"X-Request-Id: " + name, body=b"", line=b"POST /system/ping HTTP/1.1")


def keep(*parts: bytes) -> Exchange:
    return Exchange(parts)


def half_close(*parts: bytes) -> Exchange:
    return Exchange(parts, "half-close")


def close(*parts: bytes) -> Exchange:
    return Exchange(parts, "close")


def slowly(data: bytes) -> Exchange:
    """Byte by byte."""
    return Exchange(tuple(bytes([byte]) for byte in data))


def prefixed(prefix: str, exchanges: Mapping[str, Exchange]) -> dict[str, Exchange]:
    return {f"{prefix}-{name}": exchange for name, exchange in exchanges.items()}


def label(text: bytes) -> str:
    """`text` for a name: printable, and short."""
    return ascii(text[:24].decode("latin1"))[1:-1].replace(" ", "_") + f"..{len(text)}" * (
        len(text) > 24
    )


# May be answered: it stands where the next request begins, for whoever reads RFC 9112.
NEXT = named(b"next")
# Must not be answered: whoever does takes for a request what another takes for a body, or goes
# on with a connection on which nobody can know where a request begins.
SMUGGLED = named(b"smuggled")
GET = request(line=b"GET /healthz HTTP/1.1")
HEAD = request(line=b"HEAD /healthz HTTP/1.1")
