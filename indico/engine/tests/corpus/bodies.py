"""Bodies and answers: compression, what is JSON, the request id, HEAD, paths that aren't there."""

from __future__ import annotations

import gzip
import zlib

from .exchange import (
    GET,
    HEAD,
    NEXT,
    Exchange,
    chunked,
    keep,
    named,
    prefixed,
    request,
    with_length,
)

_GZIP = gzip.compress(b'{"a":1}', mtime=0)
_GZIP_FIELD = b"Content-Encoding: gzip"

_COMPRESSED = {
    "gzip": (b"gzip", _GZIP),
    "upper-case": (b"GZIP", _GZIP),
    "x-gzip": (b"x-gzip", _GZIP),
    "truncated": (b"gzip", _GZIP[:-1]),
    "truncated-in-head": (b"gzip", _GZIP[:5]),
    "empty": (b"gzip", b""),
    "not-gzip": (b"gzip", b"{}"),
    "bytes-after": (b"gzip", _GZIP + b"x"),
    "bad-checksum": (b"gzip", _GZIP[:-8] + b"\x00" * 8),
    "two-members": (b"gzip", gzip.compress(b'{"a":', mtime=0) + gzip.compress(b"1}", mtime=0)),
    "in-gzip": (b"gzip", gzip.compress(_GZIP, mtime=0)),
    "twice": (b"gzip, gzip", gzip.compress(_GZIP, mtime=0)),
    "identity": (b"identity", b"{}"),
    "identity-and-gzip": (b"identity, gzip", _GZIP),
    "empty-encoding": (b"", b"{}"),
    "deflate": (b"deflate", zlib.compress(b"{}")),
    "br": (b"br", b"{}"),
    "zstd": (b"zstd", b"{}"),
    "unknown": (b"cow", b"{}"),
    "over-the-limit": (b"gzip", gzip.compress(b" " * 70_000, mtime=0)),
    "bomb": (b"gzip", gzip.compress(b" " * (8 << 20), mtime=0)),
}
_JSON = {
    "object": b'{"a":[1,"\\u00e4",null]}',
    "utf-8": '{"ä":"€😀"}'.encode(),
    "not-utf-8": b'{"a":"\xff"}',
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "array": b"[1]",
    "word": b"x",
    "two-objects": b"{}{}",
    "line-ends-after": b"{}\r\n\r\n",
    "only-line-ends": b"\r\n\r\n",
    "nul": b"\x00",
    "request": NEXT,
    "answer": b"HTTP/1.1 200 OK\r\n\r\n",
    "deep": b'{"a":' * 100 + b"1" + b"}" * 100,
    "form": b"a=b",
}
_TYPES = {
    "none-at-all": b"",
    "form": b"application/x-www-form-urlencoded",
    "multipart": b"multipart/form-data; boundary=a",
    "multipart-without-boundary": b"multipart/form-data",
    "charset": b"application/json; charset=utf-16",
    "odd": b"\xe4;;=/",
}
_IDS = {
    "sane": b"3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "all-marks": b"Az09._:/+=-",
    "of-128": b"x" * 128,
    "of-129": b"x" * 129,
    "of-10000": b"x" * 10_000,
    "space": b"a b",
    "quotes": b'"a"',
    "angle-brackets": b"<script>",
    "latin-1": b"\xe4",
    "utf-8": "ä".encode(),
    "percent": b"%0d%0aX-A:b",
    "semicolon": b"a;b",
    "comma": b"a,b",
    "braces": b"${jndi:ldap://a}",
    "tab": b"a\tb",
}
_PATHS = {
    "nowhere": b"/nowhere",
    "unknown-action": b"/system/nowhere",
    "no-action": b"/system/",
    "no-slash": b"/system",
    "action-of-tornado": b"/system/finish",
    "digits": b"/system/1",
    "ping": b"/system/ping",
    "ping-with-query": b"/system/ping?a=b",
    "ping-with-slash": b"/system/ping/",
    "ping-upper-case": b"/SYSTEM/PING",
    "needs-a-token": b"/user/get",
    "readyz": b"/readyz",
}

BODIES: dict[str, Exchange] = {
    **prefixed(
        "compressed",
        {
            name: keep(with_length(b"Content-Encoding: " + encoding, body=body) + NEXT)
            for name, (encoding, body) in _COMPRESSED.items()
        },
    ),
    "compressed-two-fields": keep(
        with_length(_GZIP_FIELD, _GZIP_FIELD, body=gzip.compress(_GZIP, mtime=0)) + NEXT
    ),
    "compressed-in-chunks": keep(
        chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in _GZIP) + b"0\r\n\r\n", _GZIP_FIELD)
        + NEXT
    ),
    "compressed-truncated-in-chunks": keep(
        chunked(b"5\r\n" + _GZIP[:5] + b"\r\n0\r\n\r\n", _GZIP_FIELD) + NEXT
    ),
    "compressed-in-parts": keep(
        request(_GZIP_FIELD, b"Content-Length: %d" % len(_GZIP)), _GZIP[:12], _GZIP[12:], NEXT
    ),
    "compressed-get": keep(
        with_length(_GZIP_FIELD, body=_GZIP, line=b"GET /healthz HTTP/1.1") + NEXT
    ),
    "compressed-answer-wanted": keep(with_length(b"Accept-Encoding: gzip") + NEXT),
    **prefixed("json", {name: keep(with_length(body=body) + NEXT) for name, body in _JSON.items()}),
    "json-none": keep(with_length(body=b"") + NEXT),
    **prefixed(
        "type",
        {name: keep(with_length(b"Content-Type: " + kind) + NEXT) for name, kind in _TYPES.items()},
    ),
    "type-form-in-gzip": keep(
        with_length(_GZIP_FIELD, b"Content-Type: application/x-www-form-urlencoded", body=_GZIP)
        + NEXT
    ),
    **prefixed("id", {name: keep(named(text) + NEXT) for name, text in _IDS.items()}),
    "id-twice": keep(with_length(b"X-Request-Id: a", b"X-Request-Id: b") + NEXT),
    "id-other-case": keep(with_length(b"x-rEQUEST-iD: a") + NEXT),
    "id-in-an-error": keep(with_length(b"X-Request-Id: a", body=b"[") + NEXT),
    "id-in-a-get": keep(request(b"X-Request-Id: a", line=b"GET /healthz HTTP/1.1") + NEXT),
    **prefixed(
        "path",
        {
            name: keep(with_length(line=b"POST %s HTTP/1.1" % path) + NEXT)
            for name, path in _PATHS.items()
        },
    ),
    **prefixed(
        "get-path",
        {
            name: keep(request(line=b"GET %s HTTP/1.1" % path) + NEXT)
            for name, path in _PATHS.items()
            if name != "readyz"
        },
    ),
    **prefixed(
        "head-path",
        {
            name: keep(request(line=b"HEAD %s HTTP/1.1" % path) + NEXT)
            for name, path in _PATHS.items()
            if name != "readyz"
        },
    ),
    "get-healthz": keep(GET + NEXT),
    "head-healthz": keep(HEAD + NEXT),
    "get-healthz-conditional": keep(
        request(b'If-None-Match: "a", *', b"Range: bytes=0-1", line=b"GET /healthz HTTP/1.1") + NEXT
    ),
    "get-healthz-with-forwarded-fields": keep(
        request(
            b"X-Forwarded-For: 192.0.2.1",
            b"X-Real-Ip: 192.0.2.1",
            b"X-Scheme: https",
            b"X-HTTP-Method-Override: DELETE",
            line=b"GET /healthz HTTP/1.1",
        )
        + NEXT
    ),
    "get-healthz-with-bad-cookies": keep(
        request(b'Cookie: a="b; \xe4=\x80; ;=;', line=b"GET /healthz HTTP/1.1") + NEXT
    ),
}
