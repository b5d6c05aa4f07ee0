"""How long a body is: Content-Length and Transfer-Encoding, alone, doubled and together."""

from __future__ import annotations

from indico.tests.corpus.exchange import (
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

_CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"

_LENGTHS = {
    "plus": b"+2",
    "minus": b"-2",
    "minus-zero": b"-0",
    "hexadecimal": b"0x2",
    "octal": b"0o2",
    "underscore": b"0_2",
    "point": b"2.0",
    "exponent": b"2e0",
    "empty": b"",
    "quoted": b'"2"',
    "word": b"two",
    "two-words": b"2 2",
    "semicolon": b"2;",
    "comma-after": b"2,",
    "comma-before": b",2",
    "nul-after": b"2\x00",
    "nul-before": b"\x002",
    "vertical-tab": b"\x0b2",
    "form-feed": b"2\x0c",
    "file-separator": b"2\x1c",
    "next-line": b"2\x85",
    "no-break-space": b"\xa02",
    "superscript": b"\xb2",
    "arabic-digit": "٢".encode(),
    "full-width-digit": "\uff12".encode(),
    "bare-cr": b"2\r",
    "bare-cr-within": b"2\r0",
    "20-digits": b"9" * 20,
    "2-to-the-64-and-2": b"18446744073709551618",
    "2-to-the-64-less-1": b"18446744073709551615",
    "2-to-the-63": b"9223372036854775808",
    "5000-digits": b"9" * 5000,
    "differing-list": b"2, 3",
    "differing-list-of-three": b"2, 2, 3",
    "chunked": b"chunked",
}
_LEGAL_LENGTHS = {
    "leading-zeros": b"0000000000000000000000000002",
    "spaces-around": b"   2   ",
    "tabs-around": b"\t2\t",
    "same-list": b"2, 2",
    "same-list-without-space": b"2,2",
}
_DOUBLE_LENGTHS = {
    "differing": (b"Content-Length: 2", b"Content-Length: 3"),
    "differing-larger-first": (b"Content-Length: 100", b"Content-Length: 2"),
    "zero-first": (b"Content-Length: 0", b"Content-Length: 2"),
    "zero-last": (b"Content-Length: 2", b"Content-Length: 0"),
    "one-bad": (b"Content-Length: 2", b"Content-Length: +2"),
    "one-empty": (b"Content-Length: 2", b"Content-Length:"),
    "same-number-other-text": (b"Content-Length: 2", b"Content-Length: 02"),
    "other-case": (b"Content-Length: 2", b"CONTENT-LENGTH: 3"),
    "apart": (b"Content-Length: 2", b"X-A: b", b"content-length: 90"),
}

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

LENGTHS: dict[str, Exchange] = {
    **prefixed(
        "length",
        {
            name: keep(request(b"Content-Length: " + value, body=b"{}" + SMUGGLED))
            for name, value in _LENGTHS.items()
        },
    ),
    **prefixed(
        "legal-length",
        {
            name: keep(request(b"Content-Length: " + value, body=b"{}" + NEXT))
            for name, value in _LEGAL_LENGTHS.items()
        },
    ),
    **prefixed(
        "two-lengths",
        {name: keep(request(*two, body=b"{}" + SMUGGLED)) for name, two in _DOUBLE_LENGTHS.items()},
    ),
    "two-lengths-same": keep(request(*[b"Content-Length: 2"] * 2, body=b"{}" + NEXT)),
    "two-lengths-same-fifty-times": keep(request(*[b"Content-Length: 2"] * 50, body=b"{}" + NEXT)),
    "length-2-to-the-63-less-1": keep(request(b"Content-Length: 9223372036854775807", body=b"{}")),
    "length-2-to-the-32-and-2": keep(request(b"Content-Length: 4294967298", body=b"{}")),
    "length-space-before-colon": keep(request(b"Content-Length : 2", body=b"{}" + SMUGGLED)),
    "length-with-underscore-in-name": keep(request(b"Content_Length: 2", body=NEXT)),
    "length-behind-bare-cr": keep(
        request(b"X-A: b\rContent-Length: %d" % len(SMUGGLED), body=SMUGGLED)
    ),
    "length-folded": keep(request(b"Content-Length:\r\n 2", body=b"{}" + SMUGGLED)),
    "length-too-short": keep(with_length(body=b'{"a":1}')[:-7] + b'{"a":1}{}'),
    "length-too-short-by-a-request": keep(
        request(b"Content-Length: 2", body=b"{}" + NEXT + with_length(body=b'{"b":1}'))
    ),
    "length-too-long": keep(request(b"Content-Length: 500", body=b"{}")),
    "length-too-long-half-close": half_close(request(b"Content-Length: 500", body=b"{}")),
    "length-missing": keep(request(body=NEXT)),
    "length-missing-body-there": keep(request(body=b"{}\r\n\r\n" + SMUGGLED)),
    "length-body-over-the-limit": keep(with_length(body=b"x" * 70_000), NEXT),
    "length-body-at-the-limit": keep(with_length(body=b'{"a":"%s"}' % (b"x" * 65_528)), NEXT),
}

ENCODINGS: dict[str, Exchange] = {
    **prefixed(
        "encoding",
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
        "two-encodings",
        {
            name: keep(
                request(*[b"Transfer-Encoding: " + one for one in two], body=_CHUNKS + SMUGGLED)
            )
            for name, two in _DOUBLE_ENCODINGS.items()
        },
    ),
    **prefixed(
        "odd-encoding",
        {
            name: keep(request(field, b"Content-Length: 12", body=_CHUNKS + SMUGGLED))
            for name, field in _ODD_FIELDS.items()
        },
    ),
    **prefixed(
        "length-and-encoding",
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
    "length-and-encoding": keep(
        request(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)
    ),
    "encoding-and-length": keep(
        request(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n" + SMUGGLED)
    ),
    "encoding-and-length-that-agree": keep(
        request(b"Transfer-Encoding: chunked", b"Content-Length: 12", body=_CHUNKS + SMUGGLED)
    ),
    "encoding-and-length-zero": keep(
        request(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=_CHUNKS + SMUGGLED)
    ),
    "encoding-and-length-over-the-rest": keep(
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
    "encoding-and-length-in-http-1.0": keep(
        request(
            b"Connection: keep-alive",
            b"Content-Length: 2",
            b"Transfer-Encoding: chunked",
            body=b"{}" + SMUGGLED,
            line=b"POST /system/echo HTTP/1.0",
        )
    ),
    "encoding-unknown-in-http-1.0": keep(
        request(b"Transfer-Encoding: cow", body=_CHUNKS, line=b"POST /system/echo HTTP/1.0")
    ),
}
