"""Transfer-Encoding: what is chunked, two of them, and beside Content-Length."""

from __future__ import annotations

from .exchange import (
    NEXT,
    SMUGGLED,
    Exchange,
    chunked,
    keep,
    prefixed,
    request,
)

_CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"

_ENCODINGS = {
    "identity": b"identity",
    "gzip": b"gzip",
    "gzip-chunked": b"gzip, chunked",
    "chunked-gzip": b"chunked, gzip",
    "chunked-chunked": b"chunked, chunked",
    "identity-chunked": b"identity, chunked",
    "chunked-identity": b"chunked, identity",
    "comma-before": b",chunked",
    "comma-after": b"chunked,",
    "prefix": b"xchunked",
    "suffix": b"chunkedx",
    "shorter": b"chunk",
    "parameter": b"chunked;q=1",
    "quoted": b'"chunked"',
    "single-quoted": b"'chunked'",
    "empty": b"",
    "unknown": b"cow",
    "nul-after": b"chunked\x00",
    "vertical-tab-before": b"\x0bchunked",
    "form-feed-after": b"chunked\x0c",
    "next-line-before": b"\x85chunked",
    "no-break-space-after": b"chunked\xa0",
    "bare-cr-before": b"\rchunked",
    "bare-lf-before": b"\nchunked",
    "folded": b"\r\n chunked",
    "folded-after": b"chunked\r\n ",
}
_LEGAL_ENCODINGS = {
    "upper-case": b"CHUNKED",
    "mixed-case": b"cHuNkEd",
    "spaces-around": b"  chunked  ",
    "tabs-around": b"\tchunked\t",
}
_DOUBLE_ENCODINGS = {
    "chunked-chunked": (b"chunked", b"chunked"),
    "chunked-identity": (b"chunked", b"identity"),
    "identity-chunked": (b"identity", b"chunked"),
    "gzip-chunked": (b"gzip", b"chunked"),
    "empty-chunked": (b"", b"chunked"),
}

_ODD_FIELDS = {
    "space-before-colon": b"Transfer-Encoding : chunked",
    "tab-before-colon": b"Transfer-Encoding\t: chunked",
    "space-before-name": b" Transfer-Encoding: chunked",
    "behind-bare-cr": b"X-A: b\rTransfer-Encoding: chunked",
    "name-with-nul": b"Transfer-Encoding\x00: chunked",
    "name-with-cr": b"Transfer-Encoding\r: chunked",
    "name-with-lf": b"Transfer-Encoding\n: chunked",
    "folded-name": b"Transfer-Encoding\r\n : chunked",
}

ENCODINGS: dict[str, Exchange] = {
    **prefixed(
        "bad-encoding",
        {
            name: keep(request(b"Transfer-Encoding: " + value, body=_CHUNKS + SMUGGLED))
            for name, value in _ENCODINGS.items()
        },
    ),
    **prefixed(
        "legal-encoding",
        {
            name: keep(request(b"Transfer-Encoding: " + value, body=_CHUNKS + NEXT))
            for name, value in _LEGAL_ENCODINGS.items()
        },
    ),
    **prefixed(
        "bad-two-encodings",
        {
            name: keep(
                request(*[b"Transfer-Encoding: " + one for one in two], body=_CHUNKS + SMUGGLED)
            )
            for name, two in _DOUBLE_ENCODINGS.items()
        },
    ),
    **prefixed(
        "bad-encoding-field",
        {
            name: keep(request(field, b"Content-Length: 12", body=_CHUNKS + SMUGGLED))
            for name, field in _ODD_FIELDS.items()
        },
    ),
    **prefixed(
        "bad-length-and-encoding",
        {
            name: keep(
                request(
                    b"Content-Length: 12",
                    b"Transfer-Encoding: " + value,
                    body=b"0\r\n\r\n" + SMUGGLED,
                )
            )
            for name, value in (_ENCODINGS | _LEGAL_ENCODINGS).items()
        },
    ),
    "bad-length-and-encoding": keep(
        request(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)
    ),
    "bad-encoding-and-length": keep(
        request(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n" + SMUGGLED)
    ),
    "bad-encoding-and-length-that-agree": keep(
        request(b"Transfer-Encoding: chunked", b"Content-Length: 12", body=_CHUNKS + SMUGGLED)
    ),
    "bad-encoding-and-length-zero": keep(
        request(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=_CHUNKS + SMUGGLED)
    ),
    "bad-encoding-and-length-over-the-rest": keep(
        request(
            b"Content-Length: %d" % (5 + len(SMUGGLED)),
            b"Transfer-Encoding: chunked",
            body=b"0\r\n\r\n" + SMUGGLED,
        )
    ),
    "encoding-with-underscore-in-name": keep(
        request(b"Transfer_Encoding: chunked", b"Content-Length: 2", body=b"{}" + NEXT)
    ),
    "encoding-in-http-1.0": keep(chunked(_CHUNKS + SMUGGLED, line=b"POST /system/echo HTTP/1.0")),
    "encoding-in-http-1.0-keep-alive": keep(
        chunked(_CHUNKS + NEXT, b"Connection: keep-alive", line=b"POST /system/echo HTTP/1.0")
    ),
    "bad-encoding-and-length-in-http-1.0": keep(
        request(
            b"Connection: keep-alive",
            b"Content-Length: 2",
            b"Transfer-Encoding: chunked",
            body=b"{}" + SMUGGLED,
            line=b"POST /system/echo HTTP/1.0",
        )
    ),
    "bad-encoding-unknown-in-http-1.0": keep(
        request(b"Transfer-Encoding: cow", body=_CHUNKS, line=b"POST /system/echo HTTP/1.0")
    ),
}
