"""Pipelines: requests that are sent before the answers to those before them have come."""

from __future__ import annotations

from .exchange import (
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
    request,
    slowly,
    with_length,
)

_BAD = request(b"Content-Length: +2", body=b"{}")
_CLOSE = with_length(b"Connection: close")
_ECHO = with_length(body=b'{"a":1}')
_CHUNKED = chunked(b'7\r\n{"a":2}\r\n0\r\n\r\n')
_HTTP_1_0 = b"POST /system/echo HTTP/1.0"


_PIPELINES = {
    "of-two": [_ECHO, NEXT],
    "of-twenty-numbers": [named(b"number-%d" % number) for number in range(20)],
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
    """Return an exchange with all requests at once, and one with a part for each."""
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
