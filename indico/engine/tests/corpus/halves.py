"""Clients that stop halfway, are slow, or speak no HTTP at all."""

from __future__ import annotations

from .exchange import (
    GET,
    NEXT,
    Exchange,
    chunked,
    close,
    half_close,
    keep,
    prefixed,
    request,
    slowly,
    with_length,
)

_BAD = request(b"Content-Length: +2", body=b"{}")
_ECHO = with_length(body=b'{"a":1}')
_CHUNKED = chunked(b'7\r\n{"a":2}\r\n0\r\n\r\n')

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
