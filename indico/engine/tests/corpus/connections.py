"""Connections that are kept or closed, Expect and Upgrade."""

from __future__ import annotations

from .exchange import (
    NEXT,
    SMUGGLED,
    Exchange,
    chunked,
    half_close,
    keep,
    prefixed,
    request,
    with_length,
)

_HTTP_1_0 = b"POST /system/echo HTTP/1.0"

_CONNECTION_FIELDS = {
    "close": b"close",
    "close-upper-case": b"CLOSE",
    "close-first": b"close, x",
    "close-last": b"x, close",
    "close-without-space": b"x,close",
    "close-with-comma": b"close,",
    "close-spaces-around": b"  close  ",
    "close-quoted": b'"close"',
    "close-and-keep-alive": b"close, keep-alive",
    "keep-alive-and-close": b"keep-alive, close",
    "keep-alive": b"keep-alive",
    "keep-alive-mixed-case": b"Keep-Alive",
    "keep-alive-upgrade": b"keep-alive, Upgrade",
    "keep-alive-parameter": b"keep-alive; timeout=5",
    "upgrade": b"Upgrade",
    "unknown": b"x",
    "empty": b"",
    "comma": b",",
    "names-content-length": b"Content-Length",
    "names-host": b"Host",
}
_EXPECTATIONS = {
    "100-continue": b"100-continue",
    "mixed-case": b"100-Continue",
    "upper-case": b"100-CONTINUE",
    "spaces-around": b"  100-continue  ",
    "unknown": b"200-ok",
    "empty": b"",
    "list": b"100-continue, x",
    "list-twice": b"100-continue, 100-continue",
    "parameter": b"100-continue;a=b",
}
CONNECTIONS: dict[str, Exchange] = {
    **prefixed(
        "connection",
        {
            name: keep(with_length(b"Connection: " + value) + NEXT)
            for name, value in _CONNECTION_FIELDS.items()
        },
    ),
    **prefixed(
        "connection-in-http-1.0",
        {
            name: keep(with_length(b"Connection: " + value, line=_HTTP_1_0) + NEXT)
            for name, value in _CONNECTION_FIELDS.items()
        },
    ),
    "connection-two-fields": keep(
        with_length(b"Connection: keep-alive", b"Connection: close") + NEXT
    ),
    "connection-none-in-http-1.0": keep(with_length(line=_HTTP_1_0) + SMUGGLED),
    "connection-get-in-http-1.0": keep(request(line=b"GET /healthz HTTP/1.0") + SMUGGLED),
    "connection-get-in-http-1.0-keep-alive": keep(
        request(b"Connection: keep-alive", line=b"GET /healthz HTTP/1.0") + NEXT
    ),
    "connection-head-in-http-1.0-keep-alive": keep(
        request(b"Connection: keep-alive", line=b"HEAD /healthz HTTP/1.0") + NEXT
    ),
    "connection-post-without-length-in-http-1.0-keep-alive": keep(
        request(b"Connection: keep-alive", line=_HTTP_1_0) + NEXT
    ),
    "connection-http-1.2-close": keep(
        with_length(b"Connection: close", line=b"POST /system/echo HTTP/1.2") + SMUGGLED
    ),
    "connection-proxy-connection": keep(with_length(b"Proxy-Connection: close") + NEXT),
    "connection-keep-alive-field": keep(with_length(b"Keep-Alive: timeout=0, max=0") + NEXT),
}

EXPECTATIONS: dict[str, Exchange] = {
    **prefixed(
        "expect",
        {
            name: keep(with_length(b"Expect: " + value) + NEXT)
            for name, value in _EXPECTATIONS.items()
        },
    ),
    "expect-body-later": keep(request(b"Expect: 100-continue", b"Content-Length: 2"), b"{}", NEXT),
    "expect-body-never": keep(request(b"Expect: 100-continue", b"Content-Length: 500")),
    "expect-body-never-half-close": half_close(
        request(b"Expect: 100-continue", b"Content-Length: 2")
    ),
    "expect-no-body": keep(request(b"Expect: 100-continue") + NEXT),
    "expect-zero-length": keep(request(b"Expect: 100-continue", b"Content-Length: 0") + NEXT),
    "expect-chunked": keep(
        chunked(b"", b"Expect: 100-continue"), b"2\r\n{}\r\n", b"0\r\n\r\n", NEXT
    ),
    "expect-get": keep(request(b"Expect: 100-continue", line=b"GET /healthz HTTP/1.1") + NEXT),
    "expect-in-http-1.0": keep(with_length(b"Expect: 100-continue", line=_HTTP_1_0)),
    "expect-twice": keep(with_length(b"Expect: 100-continue", b"Expect: 100-continue") + NEXT),
    "expect-bad-length": keep(
        request(b"Expect: 100-continue", b"Content-Length: +2", body=b"{}" + SMUGGLED)
    ),
    "expect-two-lengths": keep(
        request(
            b"Expect: 100-continue",
            b"Content-Length: 2",
            b"Content-Length: 3",
            body=b"{}" + SMUGGLED,
        )
    ),
    "expect-length-and-encoding": keep(
        chunked(b"0\r\n\r\n" + SMUGGLED, b"Expect: 100-continue", b"Content-Length: 5")
    ),
    "expect-no-host": keep(
        request(b"Expect: 100-continue", b"Content-Length: 2", body=b"{}", host=b"") + SMUGGLED
    ),
    "expect-unknown-path": keep(
        with_length(b"Expect: 100-continue", line=b"POST /nowhere HTTP/1.1") + NEXT
    ),
    "expect-too-large": keep(
        request(b"Expect: 100-continue", b"Content-Length: 70000"), b"x" * 70_000, NEXT
    ),
    "expect-close": keep(with_length(b"Expect: 100-continue", b"Connection: close") + SMUGGLED),
    "expect-pipelined": keep(with_length(b"Expect: 100-continue") * 3 + NEXT),
}

_UPGRADES = {
    "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    "websocket": (
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "tls": (b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
    "without-connection": (b"Upgrade: h2c",),
    "empty": (b"Connection: Upgrade", b"Upgrade:"),
    "http-1.1": (b"Connection: Upgrade", b"Upgrade: HTTP/1.1"),
}

UPGRADES: dict[str, Exchange] = {
    **prefixed(
        "upgrade",
        {
            name: keep(request(*fields, line=b"GET /healthz HTTP/1.1") + NEXT)
            for name, fields in _UPGRADES.items()
        },
    ),
    **prefixed(
        "upgrade-with-body",
        {name: keep(with_length(*fields) + NEXT) for name, fields in _UPGRADES.items()},
    ),
    **prefixed(
        "upgrade-with-chunks",
        {
            name: keep(chunked(b"2\r\n{}\r\n0\r\n\r\n", *fields) + NEXT)
            for name, fields in _UPGRADES.items()
        },
    ),
    "upgrade-in-http-1.0": keep(
        request(*_UPGRADES["websocket"], line=b"GET /healthz HTTP/1.0") + SMUGGLED
    ),
    "upgrade-unknown-path": keep(
        request(*_UPGRADES["websocket"], line=b"GET /nowhere HTTP/1.1") + NEXT
    ),
    "upgrade-and-bytes-of-a-websocket": keep(
        request(*_UPGRADES["websocket"], line=b"GET /healthz HTTP/1.1"),
        b"\x81\x85\x00\x00\x00\x00hello" + b"\r\n\r\n",
    ),
}
