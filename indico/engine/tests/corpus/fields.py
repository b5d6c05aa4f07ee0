"""Header fields: their names, values and lines, how many and how large."""

from __future__ import annotations

from .exchange import (
    GET,
    NEXT,
    SMUGGLED,
    Exchange,
    keep,
    named,
    prefixed,
    request,
    slowly,
    with_length,
)

_TOKEN_MARKS = b"!#$%&'*+-.^_`|~"
_OTHER_MARKS = b'"(),/;<=>?@[\\]{}\x00\x01\x0b\x7f\x80\xff \t'
_CONTROLS = bytes([*range(9), *range(11, 13), *range(14, 32), 127])

_LINES = {
    "no-colon": b"rubbish",
    "no-colon-last": b"X-A: b\r\nrubbish",
    "only-colon": b":",
    "empty-name": b": b",
    "space-for-name": b" : b",
    "space-before-colon": b"X-A : b",
    "tab-before-colon": b"X-A\t: b",
    "space-within-name": b"X A: b",
    "folded-with-space": b"X-A: b\r\n c",
    "folded-with-tab": b"X-A: b\r\n\tc",
    "folded-empty": b"X-A: b\r\n ",
    "folded-with-lf": b"X-A: b\n c",
    "bare-cr-in-value": b"X-A: b\rc",
    "bare-cr-in-name": b"X\r-A: b",
    "bare-cr-then-field": b"X-A: b\rX-B: c",
    "bare-cr-at-end": b"X-A: b\r",
    "cr-cr-lf": b"X-A: b\r\r\nX-B: c",
    "lf-cr": b"X-A: b\n\rX-B: c",
    "nul-in-name": b"X-\x00A: b",
    "utf-8-in-name": "X-Ä: b".encode(),
    "request-line-again": b"POST /system/ping HTTP/1.1",
}
_LEGAL_LINES = {
    "no-value": b"X-A:",
    "only-spaces": b"X-A:    ",
    "no-space": b"X-A:b",
    "tab": b"X-A:\tb",
    "tab-within": b"X-A: b\tc",
    "colon-in-value": b"X-A: b: c:",
    "starts-with-colon": b"X-A:: b",
    "latin-1": "X-A: ä".encode("latin1"),
    "utf-8": "X-A: ä€😀".encode(),
    "all-of-obs-text": b"X-A: " + bytes(range(128, 256)),
    "all-visible": b"X-A: " + bytes(range(33, 127)),
    "digit-name": b"1: b",
    "long-name": b"X" * 5000 + b": b",
    "same-name-twice": b"X-A: b\r\nx-a: c",
    "thousand": b"\r\n".join(b"X-%d: b" % number for number in range(1000)),
    "same-thousand-times": b"\r\n".join([b"X-A: b"] * 1000),
    "of-60-kib": b"X-A: " + b"b" * 60_000,
}
# Whether the value is taken without them shows in the answer's X-Request-Id.
_AROUND = {
    "spaces": b"   ",
    "tabs": b"\t\t",
    "vertical-tabs": b"\x0b",
    "form-feeds": b"\x0c",
    "file-separators": b"\x1c",
    "unit-separators": b"\x1f",
    "next-lines": b"\x85",
    "no-break-spaces": b"\xa0",
    "utf-8-no-break-spaces": "\xa0".encode(),
    "commas": b",",
    "quotes": b'"',
}
_END = b"\r\n\r\n"


def _sized(head: int) -> bytes:
    """Return a request without a body, whose head has `head` bytes with the empty line."""
    bare = len(with_length(b"X-A: ", body=b""))
    return with_length(b"X-A: " + b"b" * (head - bare), body=b"")


def _with_fields(number: int) -> bytes:
    own = with_length().count(b"\r\n") - 2  # the first line, and the empty one
    return with_length(*[b"X-A: b"] * (number - own))


FIELDS: dict[str, Exchange] = {
    **prefixed(
        "bad-field", {name: keep(with_length(line) + SMUGGLED) for name, line in _LINES.items()}
    ),
    **prefixed(
        "legal-field",
        {name: keep(with_length(line) + NEXT) for name, line in _LEGAL_LINES.items()},
    ),
    **prefixed(
        "name-with",
        {f"{mark:02x}": keep(with_length(b"X%cA: b" % mark) + NEXT) for mark in _TOKEN_MARKS},
    ),
    **prefixed(
        "bad-name-with",
        {f"{mark:02x}": keep(with_length(b"X%cA: b" % mark) + SMUGGLED) for mark in _OTHER_MARKS},
    ),
    **prefixed(
        "bad-value-with",
        {f"{mark:02x}": keep(with_length(b"X-A: b%cc" % mark) + SMUGGLED) for mark in _CONTROLS},
    ),
    **prefixed(
        "value-between",
        {name: keep(named(mark + b"sane" + mark)) for name, mark in _AROUND.items()},
    ),
    "value-empty-id": keep(named(b"")),
    "field-bare-lf-lines": keep(with_length().replace(b"\r\n", b"\n") + NEXT),
    "field-bare-lf-lines-in-parts": keep(
        with_length().replace(b"\r\n", b"\n")[:30], with_length().replace(b"\r\n", b"\n")[30:], NEXT
    ),
    "field-bare-lf-after-request-line": keep(with_length().replace(b"\r\n", b"\n", 1) + NEXT),
    "field-bare-lf-then-field": keep(with_length(b"X-A: b\nX-B: c") + NEXT),
    "field-lf-lf-at-the-end": keep(with_length().replace(_END, b"\n\n") + NEXT),
    "field-crlf-lf-at-the-end": keep(with_length().replace(_END, b"\r\n\n") + NEXT),
    "field-lf-crlf-at-the-end": keep(with_length().replace(_END, b"\n\r\n") + NEXT),
    "field-crlf-cr-at-the-end": keep(with_length().replace(_END, b"\r\n\r") + b"\r\n\r\n"),
    "field-bare-cr-lines": keep(with_length().replace(b"\r\n", b"\r")),
    "field-crlf-split": keep(*GET.replace(b"\r\n", b"\r|\n").split(b"|"), NEXT),
    "head-slowly": slowly(with_length()),
    "head-slowly-with-lf": slowly(with_length().replace(b"\r\n", b"\n")),
    "head-of-65535": keep(_sized(65_535) + NEXT),
    "head-of-65536": keep(_sized(65_536) + NEXT),
    "bad-head-of-65537": keep(_sized(65_537) + SMUGGLED),
    "head-of-65535-in-parts": keep(_sized(65_535)[:40_000], _sized(65_535)[40_000:], NEXT),
    "bad-head-of-65537-in-parts": keep(_sized(65_537)[:40_000], _sized(65_537)[40_000:], SMUGGLED),
    "bad-head-of-100-kib": keep(_sized(100 << 10), SMUGGLED),
    "bad-head-of-1-mib": keep(_sized(1 << 20), SMUGGLED),
    "bad-head-without-end": keep(request()[:-2] + b"X-A: " + b"b" * 100_000),
    "bad-head-of-10000-fields": keep(with_length(*[b"X-A: b"] * 10_000), SMUGGLED),
    "head-of-100-fields": keep(_with_fields(100) + NEXT),
    "head-of-101-fields": keep(_with_fields(101) + NEXT),
    "head-of-5000-fields": keep(with_length(*[b"X-A: b"] * 5000), NEXT),
}
