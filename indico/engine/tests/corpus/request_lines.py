"""Request lines: versions, and the whitespace before and within."""

from __future__ import annotations

from .exchange import (
    GET,
    NEXT,
    SMUGGLED,
    Exchange,
    half_close,
    keep,
    label,
    prefixed,
    request,
    with_length,
)

_VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9"]
_BAD_VERSIONS = [
    *(b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/0.0", b"HTTP/3", b"HTTP/2"),
    *(b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.01"),
    *(
        b"http/1.1",
        b"Http/1.1",
        b"HTP/1.1",
        b"HTTPS/1.1",
        b"XHTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1\t",
    ),
    *(
        b"HTTP/1.1x",
        b"HTTP /1.1",
        b"HTTP/ 1.1",
        b"HTTP/1 .1",
        b"HTTP/1,1",
        b"HTTP/1_1",
        b"HTTP/-1.1",
    ),
    *(b"HTTP/+1.1", b"HTTP/1.1\x00", b"HTTP/1.1\x0b", b"HTTP/A.B", b"HTTP/\xb9.\xb9", b"ICE/1.0"),
    *(b"RTSP/1.0", b"HTTP", b"HTTP/", b"1.1", b"HTTP\\1.1", b'"HTTP/1.1"', b"HTTP/1.1 HTTP/1.1"),
    *(
        b"HTTP/1.1;a=b",
        b"HTTP/1.18446744073709551617",
        "HTTP/\uff11.\uff11".encode(),
    ),
]
_BEFORE = {
    "crlf": b"\r\n",
    "two-crlf": b"\r\n\r\n",
    "ten-crlf": b"\r\n" * 10,
    "thousand-crlf": b"\r\n" * 1000,
    "lf": b"\n",
    "two-lf": b"\n\n",
    "cr": b"\r",
    "cr-cr-lf": b"\r\r\n",
    "space": b" ",
    "tab": b"\t",
    "nul": b"\x00",
    "space-crlf": b" \r\n",
    "byte-order-mark": b"\xef\xbb\xbf",
    "vertical-tab": b"\x0b",
}
_LINES = {
    "two-spaces-after-method": b"GET  /healthz HTTP/1.1",
    "two-spaces-after-target": b"GET /healthz  HTTP/1.1",
    "tab-after-method": b"GET\t/healthz HTTP/1.1",
    "tab-after-target": b"GET /healthz\tHTTP/1.1",
    "vertical-tabs": b"GET\x0b/healthz\x0bHTTP/1.1",
    "no-break-spaces": b"GET\xa0/healthz\xa0HTTP/1.1",
    "no-version": b"GET /healthz",
    "no-version-but-space": b"GET /healthz ",
    "no-target": b"GET HTTP/1.1",
    "no-target-two-spaces": b"GET  HTTP/1.1",
    "only-method": b"GET",
    "only-spaces": b"   ",
    "four-words": b"GET /healthz x HTTP/1.1",
    "cr-within": b"GET /healthz\rHTTP/1.1",
    "lf-within": b"GET /healthz\nHTTP/1.1",
    "folded": b"GET /healthz\r\n HTTP/1.1",
    "response": b"HTTP/1.1 200 OK",
    "field": b"X-A: b",
    "no-spaces": b"GET/healthzHTTP/1.1",
}

REQUEST_LINES: dict[str, Exchange] = {
    **prefixed(
        "version",
        {
            label(version): keep(with_length(line=b"POST /system/echo " + version) + NEXT)
            for version in _VERSIONS
        },
    ),
    **prefixed(
        "bad-version",
        {
            label(version): keep(with_length(line=b"POST /system/echo " + version) + SMUGGLED)
            for version in _BAD_VERSIONS
        },
    ),
    **prefixed("before", {name: keep(text + GET + NEXT) for name, text in _BEFORE.items()}),
    **prefixed("between", {name: keep(GET + text + NEXT) for name, text in _BEFORE.items()}),
    **prefixed(
        "bad-line", {name: keep(request(line=line) + SMUGGLED) for name, line in _LINES.items()}
    ),
    "line-ends-with-cr-cr-lf": keep(with_length(line=b"POST /system/echo HTTP/1.1\r") + NEXT),
    "http-0.9": keep(b"GET /healthz\r\n"),
    "http-0.9-half-close": half_close(b"GET /healthz\r\n"),
    "bad-http-2-preface": keep(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED),
    "bad-http-2-preface-with-settings": keep(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    ),
}
