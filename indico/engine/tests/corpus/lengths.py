"""Content-Length: what is a number, and two of them."""

from __future__ import annotations

from .exchange import (
    NEXT,
    SMUGGLED,
    Exchange,
    half_close,
    keep,
    prefixed,
    request,
    with_length,
)

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

LENGTHS: dict[str, Exchange] = {
    **prefixed(
        "bad-length",
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
        "bad-two-lengths",
        {name: keep(request(*two, body=b"{}" + SMUGGLED)) for name, two in _DOUBLE_LENGTHS.items()},
    ),
    "two-lengths-same": keep(request(*[b"Content-Length: 2"] * 2, body=b"{}" + NEXT)),
    "two-lengths-same-fifty-times": keep(request(*[b"Content-Length: 2"] * 50, body=b"{}" + NEXT)),
    "length-2-to-the-63-less-1": keep(request(b"Content-Length: 9223372036854775807", body=b"{}")),
    "length-2-to-the-32-and-2": keep(request(b"Content-Length: 4294967298", body=b"{}")),
    "bad-length-space-before-colon": keep(request(b"Content-Length : 2", body=b"{}" + SMUGGLED)),
    "length-with-underscore-in-name": keep(request(b"Content_Length: 2", body=NEXT)),
    "bad-length-behind-bare-cr": keep(
        request(b"X-A: b\rContent-Length: %d" % len(SMUGGLED), body=SMUGGLED)
    ),
    "bad-length-folded": keep(request(b"Content-Length:\r\n 2", body=b"{}" + SMUGGLED)),
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
