"""Connections: pipelines, keep-alive, Expect, Upgrade, rubbish, and clients that stop halfway."""

from __future__ import annotations

from indico.tests.corpus.exchange import (
    GET,
    HEAD,
    NEXT,
    SMUGGLED,
    Exchange,
    chunked,
    close,
    half_close,
    keep,
    named,
    prefixed,
    request,
    slowly,
    with_length,
)

_BAD = request(b"Content-Length: +2", body=b"{}")
_CLOSE = with_length(b"Connection: close")
_ECHO = with_length(body=b'{"a":1}')
_CHUNKED = chunked(b'7\r\n{"a":2}\r\n0\r\n\r\n')
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
_RUBBISH = {
    "zeros": bytes(100),
    "all-bytes": bytes(range(256)),
    "text": b"hello\r\n\r\n",
    "text-without-end": b"hello",
    "tls": bytes.fromhex("16030100a5010000a10303") + bytes(range(160)),
    "tls-with-line-ends": bytes.fromhex("16030100a5010000a10303") + b"\r\n\r\n" * 40,
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "proxy-protocol": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET,
    "proxy-protocol-2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + GET,
    "smtp": b"EHLO a\r\n\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n\r\n",
    "crlf": b"\r\n",
    "crlf-crlf": b"\r\n\r\n",
    "lf": b"\n",
    "lf-lf": b"\n\n",
    "cr": b"\r",
    "spaces": b"  \r\n  \r\n\r\n",
    "mebibyte": b"x" * (1 << 20),
    "mebibyte-of-lines": b"x\r\n" * 350_000,
    "mebibyte-of-line-ends": b"\r\n" * 500_000,
    "response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}
_HALVES = {
    "nothing": b"",
    "letter": b"P",
    "method": b"POST",
    "method-and-space": b"POST ",
    "target": b"POST /system/ec",
    "version": b"POST /system/echo HTTP/1.",
    "request-line": b"POST /system/echo HTTP/1.1",
    "request-line-and-cr": b"POST /system/echo HTTP/1.1\r",
    "request-line-and-end": b"POST /system/echo HTTP/1.1\r\n",
    "name": b"POST /system/echo HTTP/1.1\r\nHo",
    "colon": b"POST /system/echo HTTP/1.1\r\nHost:",
    "value": b"POST /system/echo HTTP/1.1\r\nHost: a",
    "field": b"POST /system/echo HTTP/1.1\r\nHost: a\r\n",
    "field-and-cr": b"POST /system/echo HTTP/1.1\r\nHost: a\r\n\r",
    "head": request(b"Content-Length: 300"),
    "half-a-body": request(b"Content-Length: 300", body=b'{"a":'),
    "body-but-one-byte": _ECHO[:-1],
    "chunked-head": chunked(b""),
    "half-a-chunk": chunked(b'500\r\n{"a"'),
    "second-request": _ECHO + NEXT[:30],
    "second-body": _ECHO + request(b"Content-Length: 300", body=b"{"),
}

_PIPELINES = {
    "of-two": [_ECHO, NEXT],
    "of-twenty": [named(b"number-%d" % number) for number in range(20)],
    "of-twenty-bodies": [with_length(body=b'{"a":%d}' % number) for number in range(20)],
    "mixed": [_ECHO, GET, HEAD, _CHUNKED, with_length(line=b"POST /nowhere HTTP/1.1"), _ECHO],
    "heads": [HEAD] * 5,
    "large-bodies": [with_length(body=b'{"a":"%s"}' % (b"x" * 60_000))] * 5,
    "chunked": [_CHUNKED] * 10,
    "not-json-in-the-middle": [_ECHO, with_length(body=b"["), NEXT],
    "error-in-the-middle": [_ECHO, _BAD, SMUGGLED],
    "error-first": [_BAD, SMUGGLED],
    "error-last": [_ECHO, NEXT, _BAD],
    "error-in-chunks": [_ECHO, chunked(b"g\r\n{}\r\n0\r\n\r\n"), SMUGGLED],
    "error-in-second-chunk": [_ECHO, chunked(b"2\r\n{}\r\n-1\r\n\r\n"), SMUGGLED],
    "error-in-request-line": [_ECHO, b"rubbish\r\n\r\n", SMUGGLED],
    "error-in-host": [_ECHO, request(b"Host: b"), SMUGGLED],
    "close-in-the-middle": [_ECHO, _CLOSE, SMUGGLED],
    "close-first": [_CLOSE, SMUGGLED],
    "close-first-and-rubbish": [_CLOSE, b"rubbish\r\n\r\n"],
    "too-large-in-the-middle": [_ECHO, with_length(body=b"x" * 70_000), NEXT],
    "http-1.0-in-the-middle": [_ECHO, with_length(line=_HTTP_1_0), SMUGGLED],
    "http-1.0-keep-alive-in-the-middle": [
        _ECHO,
        with_length(b"Connection: keep-alive", line=_HTTP_1_0),
        NEXT,
    ],
    "line-ends-between": [_ECHO, b"\r\n", NEXT, b"\r\n\r\n", named(b"third")],
    "gzip-error-in-the-middle": [with_length(b"Content-Encoding: gzip", body=b"x"), NEXT],
    "unknown-encoding-in-the-middle": [with_length(b"Content-Encoding: br", body=b"x"), NEXT],
}


def _ways(name: str, requests: list[bytes]) -> dict[str, Exchange]:
    """All at once, and each in a part of its own."""
    return {name: keep(b"".join(requests)), f"{name}-in-parts": keep(*requests)}


PIPELINES: dict[str, Exchange] = {
    f"pipeline-{name}": exchange
    for pipeline, requests in _PIPELINES.items()
    for name, exchange in _ways(pipeline, requests).items()
} | {
    "pipeline-split-within": keep((_ECHO + NEXT)[:20], (_ECHO + NEXT)[20:80], (_ECHO + NEXT)[80:]),
    "pipeline-split-in-empty-line": keep(
        (GET + NEXT)[: len(GET) - 2], (GET + NEXT)[len(GET) - 2 :]
    ),
    "pipeline-slowly": slowly(_ECHO + _CHUNKED),
    "pipeline-half-close": half_close(_ECHO + NEXT),
    "pipeline-close": close(_ECHO * 20),
    "pipeline-and-half": keep(_ECHO + NEXT[:20], NEXT[20:]),
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

HALVES: dict[str, Exchange] = {
    **prefixed("half", {name: keep(half) for name, half in _HALVES.items()}),
    **prefixed("half-close", {name: half_close(half) for name, half in _HALVES.items()}),
    **prefixed("half-left", {name: close(half) for name, half in _HALVES.items()}),
    **prefixed("rubbish", {name: keep(rubbish) for name, rubbish in _RUBBISH.items()}),
    **prefixed("rubbish-half-close", {name: half_close(text) for name, text in _RUBBISH.items()}),
    "half-close-after-request": half_close(_ECHO),
    "half-close-after-get": half_close(GET),
    "half-close-after-chunks": half_close(_CHUNKED),
    "half-close-after-large-body": half_close(with_length(body=b"x" * 70_000)),
    "left-after-request": close(_ECHO),
    "left-after-get": close(GET),
    "slow-ping": slowly(NEXT),
    "slow-get": slowly(GET),
    "slow-bad-length": slowly(_BAD),
    "slow-rubbish": slowly(b"rubbish\r\n\r\n"),
    "slow-two-lengths": slowly(
        request(b"Content-Length: 2", b"Content-Length: 3", body=b"{}") + b"x"
    ),
    "slow-body": keep(*[_ECHO[:-7], *(bytes([byte]) for byte in _ECHO[-7:])]),
}
