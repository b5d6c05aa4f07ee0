"""Chunked bodies: sizes, extensions, ends of lines, the last chunk, trailers."""

from __future__ import annotations

from .exchange import (
    NEXT,
    SMUGGLED,
    Exchange,
    chunked,
    half_close,
    keep,
    prefixed,
    slowly,
)

_LAST = b"0\r\n\r\n"

# Each stands for the size of `{}`.
_SIZES = {
    "prefix-0x": b"0x2",
    "prefix-x": b"x2",
    "plus": b"+2",
    "minus": b"-2",
    "underscore": b"0_2",
    "empty": b"",
    "space-before": b" 2",
    "space-after": b"2 ",
    "tab-before": b"\t2",
    "tab-after": b"2\t",
    "vertical-tab": b"\x0b2",
    "nul": b"2\x00",
    "not-hexadecimal": b"g",
    "not-hexadecimal-after": b"2g",
    "suffix-h": b"2h",
    "point": b"2.0",
    "comma": b"2,2",
    "two-words": b"2 2",
    "quoted": b'"2"',
    "superscript": b"\xb2",
    "full-width-digit": "\uff12".encode(),
    "2-to-the-64-and-2": b"10000000000000002",
    "2-to-the-64-less-1": b"f" * 16,
    "2-to-the-32-and-2-and-more": b"fffffffff00000002",
    "60-digits": b"1" + b"0" * 58 + b"2",
    "bare-cr-after": b"2\r",
    "bare-cr-within": b"2\r0",
    "bare-lf-before": b"\n2",
    "crlf-before": b"\r\n2",
    "extension-with-bare-cr": b"2;a\rb",
    "extension-with-bare-lf": b"2;a\nb",
    "extension-with-nul": b"2;a=\x00",
    "extension-with-quoted-bare-lf": b'2;a="\n"',
    "extension-with-quoted-crlf": b'2;a="\r\n"',
}
_LEGAL_SIZES = {
    "17-digits": b"00000000000000002",
    "60-digits": b"0" * 59 + b"2",
    "100-digits": b"0" * 99 + b"2",
    "5000-digits": b"0" * 4999 + b"2",
    "extension": b"2;a",
    "extension-with-value": b"2;a=b",
    "extension-with-quotes": b'2;a="b"',
    "extension-with-semicolon-in-quotes": b'2;a="b;c=\\"d"',
    "extension-after-space": b"2 ; a = b",
    "extension-empty": b"2;",
    "extension-twice": b"2;a=b;c",
    "extension-long": b"2;a=" + b"x" * 100,
    "extension-of-64-kib": b"2;a=" + b"x" * 65_536,
}
# What stands between `2 CRLF {}` and the end.
_ENDS = {
    "none": b"",
    "lf": b"\n",
    "cr": b"\r",
    "cr-cr": b"\r\r",
    "lf-cr": b"\n\r",
    "lf-lf": b"\n\n",
    "cr-cr-lf": b"\r\r\n",
    "more-data": b"x\r\n",
    "more-data-of-two": b"xx\r\n",
    "crlf-twice": b"\r\n\r\n",
    "space": b" \r\n",
    "nul": b"\x00\r\n",
}
_LAST_CHUNKS = {
    "lf": b"0\n\n",
    "lf-after-size": b"0\n\r\n",
    "lf-after-trailers": b"0\r\n\n",
    "cr": b"0\r\r",
    "cr-after-trailers": b"0\r\n\r\r",
    "minus": b"-0\r\n\r\n",
    "prefix-0x": b"0x0\r\n\r\n",
    "space-after": b"0 \r\n\r\n",
    "text-after": b"0\r\nxx\r\n\r\n",
    "two-bytes-for-crlf": b"0\r\nab",
}
_LEGAL_LAST_CHUNKS = {
    "two-digits": b"00\r\n\r\n",
    "five-digits": b"00000\r\n\r\n",
    "extension": b"0;a=b\r\n\r\n",
}
_TRAILERS = {
    "without-colon": b"rubbish",
    "space-before-colon": b"X-A : b",
    "space-before-name": b" X-A: b",
    "folded": b"X-A: b\r\n c",
    "empty-name": b": b",
    "nul": b"X-A: \x00",
    "bare-cr": b"X-A: b\rc",
    "bare-lf": b"X-A: b\nc",
    "request-line": b"POST /system/ping HTTP/1.1",
}
# A server may refuse them, or leave them unread; it must not go by them.
_FORBIDDEN_TRAILERS = {
    "content-length": b"Content-Length: 100",
    "transfer-encoding": b"Transfer-Encoding: chunked",
    "content-encoding": b"Content-Encoding: gzip",
    "host": b"Host: b",
    "connection": b"Connection: close",
    "expect": b"Expect: 100-continue",
}
_LEGAL_TRAILERS = {
    "one": b"X-A: b",
    "three": b"X-A: b\r\nX-B: c\r\nX-C:",
    "request-id": b"X-Request-Id: of-the-trailer",
    "thousand": b"\r\n".join([b"X-A: b"] * 1000),
    "of-100-kib": b"X-A: " + b"b" * 100_000,
}
_TRUNCATED = {
    "no-size": b"",
    "half-a-size": b"2",
    "size-and-cr": b"2\r",
    "size": b"2\r\n",
    "half-a-chunk": b"2\r\n{",
    "chunk": b"2\r\n{}",
    "chunk-and-cr": b"2\r\n{}\r",
    "whole-chunk": b"2\r\n{}\r\n",
    "half-a-last-chunk": b"2\r\n{}\r\n0",
    "last-chunk": b"2\r\n{}\r\n0\r\n",
    "last-chunk-and-cr": b"2\r\n{}\r\n0\r\n\r",
    "trailer": b"2\r\n{}\r\n0\r\nX-A: b\r\n",
}

CHUNKS: dict[str, Exchange] = {
    **prefixed(
        "bad-chunk-size",
        {
            name: keep(chunked(size + b"\r\n{}\r\n" + _LAST + SMUGGLED))
            for name, size in _SIZES.items()
        },
    ),
    **prefixed(
        "legal-chunk-size",
        {
            name: keep(chunked(size + b"\r\n{}\r\n" + _LAST + NEXT))
            for name, size in _LEGAL_SIZES.items()
        },
    ),
    **prefixed(
        "bad-chunk-end",
        {name: keep(chunked(b"2\r\n{}" + end + _LAST + SMUGGLED)) for name, end in _ENDS.items()},
    ),
    **prefixed(
        "bad-last-chunk",
        {
            name: keep(chunked(b"2\r\n{}\r\n" + last + SMUGGLED))
            for name, last in _LAST_CHUNKS.items()
        },
    ),
    **prefixed(
        "legal-last-chunk",
        {
            name: keep(chunked(b"2\r\n{}\r\n" + last + NEXT))
            for name, last in _LEGAL_LAST_CHUNKS.items()
        },
    ),
    **prefixed(
        "bad-trailer",
        {
            name: keep(chunked(b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n" + SMUGGLED))
            for name, trailer in _TRAILERS.items()
        },
    ),
    **prefixed(
        "trailer",
        {
            name: keep(chunked(b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n" + NEXT))
            for name, trailer in (_FORBIDDEN_TRAILERS | _LEGAL_TRAILERS).items()
        },
    ),
    **prefixed(
        "truncated-chunks",
        {name: half_close(chunked(body)) for name, body in _TRUNCATED.items()},
    ),
    **prefixed(
        "half-chunks",
        {name: keep(chunked(body)) for name, body in _TRUNCATED.items()},
    ),
    "bad-chunks-lf-everywhere": keep(chunked(b"2\n{}\n0\n\n" + SMUGGLED)),
    "bad-chunk-size-lf": keep(chunked(b"2\n{}\r\n" + _LAST + SMUGGLED)),
    "bad-chunk-size-cr": keep(chunked(b"2\r{}\r\n" + _LAST + SMUGGLED)),
    "bad-chunk-size-cr-cr-lf": keep(chunked(b"2\r\r\n{}\r\n" + _LAST + SMUGGLED)),
    "bad-chunk-larger-than-its-data": keep(chunked(b"4\r\n{}\r\n" + _LAST + SMUGGLED)),
    "bad-chunk-smaller-than-its-data": keep(chunked(b"1\r\n{}\r\n" + _LAST + SMUGGLED)),
    "chunks-none": keep(chunked(_LAST + NEXT)),
    "chunks-upper-case": keep(chunked(b"A\r\n" + b'{"a":1234}\r\n' + _LAST + NEXT)),
    "chunks-lower-case": keep(chunked(b"a\r\n" + b'{"a":1234}\r\n' + _LAST + NEXT)),
    "chunks-both-cases": keep(chunked(b'aA\r\n{"a":"%s"}\r\n' % (b"x" * 162) + _LAST + NEXT)),
    "chunks-of-one-byte": keep(
        chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"a": [1, 2]}') + _LAST + NEXT)
    ),
    "chunks-in-parts": keep(
        chunked(b""), b"7", b"\r", b"\n", b'{"a"', b":1}", b"\r", b"\n", b"0", b"\r\n", b"\r\n"
    ),
    "chunks-slowly": slowly(chunked(b'4\r\n{"a"\r\n3\r\n:1}\r\n' + _LAST)),
    "chunks-over-the-limit": keep(
        chunked(b""), *[b"2000\r\n" + b"x" * 0x2000 + b"\r\n"] * 10, _LAST, NEXT
    ),
    "chunks-over-the-limit-one-chunk": keep(
        chunked(b"11170\r\n"), b"x" * 70_000, b"\r\n" + _LAST, NEXT
    ),
    "chunks-thousands": keep(chunked(b"1\r\n \r\n" * 5000 + b"2\r\n{}\r\n" + _LAST + NEXT)),
    "bad-chunks-without-host": keep(
        b"POST /system/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + _LAST + SMUGGLED
    ),
}
