"""Host: none, one, two, and what one may look like."""

from __future__ import annotations

from .exchange import SMUGGLED, Exchange, keep, prefixed, request

_HOSTS = {
    "port": b"a:80",
    "port-empty": b"a:",
    "port-zero": b"a:0",
    "port-too-large": b"a:99999",
    "port-negative": b"a:-1",
    "port-word": b"a:b",
    "ports-two": b"a:80:81",
    "ipv4": b"127.0.0.1:8888",
    "ipv6": b"[::1]",
    "ipv6-port": b"[::1]:80",
    "ipv6-bare": b"::1",
    "ipv6-open": b"[::1",
    "upper-case": b"EXAMPLE.COM",
    "dot-at-end": b"a.",
    "dots": b"..",
    "underscore": b"a_b",
    "sub-delimiters": b"a!$&'()*+;=b",
    "percent": b"%41",
    "colon-alone": b":",
    "asterisk": b"*",
    "long": b"a" * 10_000,
}
_BAD_HOSTS = {
    "port-and-space": b"a: 80",
    "percent-bad": b"%zz",
    "percent-alone": b"a%",
    "comma": b"a,b",
    "comma-same": b"a, a",
    "comma-alone": b",",
    "path": b"a/b",
    "query": b"a?b",
    "fragment": b"a#b",
    "userinfo": b"ada@a",
    "userinfo-password": b"ada:secret@a",
    "scheme": b"http://a",
    "space": b"a b",
    "tab": b"a\tb",
    "backslash": b"a\\b",
    "pipe": b"a|b",
    "angle-brackets": b"<a>",
    "double-quote": b'a"b',
    "braces": b"{a}",
    "caret": b"a^b",
    "backtick": b"a`b",
    "nul": b"a\x00b",
    "delete": b"a\x7fb",
    "latin-1": b"\xe4",
    "utf-8": "ä".encode(),
}
_HOST_LINES = {
    "none": (),
    "two-same": (b"Host: a", b"Host: a"),
    "two-differing": (b"Host: a", b"Host: b"),
    "two-other-case": (b"Host: a", b"HOST: b"),
    "two-one-empty": (b"Host: a", b"Host:"),
    "two-empty": (b"Host:", b"Host:"),
    "three": (b"Host: a", b"Host: a", b"Host: a"),
    "space-before-colon": (b"Host : a",),
    "space-before-name": (b" Host: a",),
    "folded": (b"Host:\r\n a",),
    "folded-after": (b"Host: a\r\n b",),
    "behind-bare-cr": (b"X-A: b\rHost: a",),
}

_PING = b"POST /system/ping HTTP/1.1"

HOSTS: dict[str, Exchange] = {
    **prefixed(
        "host",
        {name: keep(request(line=_PING, host=b"Host: " + host)) for name, host in _HOSTS.items()},
    ),
    **prefixed(
        "bad-host",
        {
            name: keep(request(line=_PING, host=b"Host: " + host) + SMUGGLED)
            for name, host in _BAD_HOSTS.items()
        },
    ),
    **prefixed(
        "bad-host-lines",
        {
            name: keep(request(*lines, line=_PING, host=b"") + SMUGGLED)
            for name, lines in _HOST_LINES.items()
        },
    ),
    "host-empty": keep(request(line=_PING, host=b"Host:")),
    "host-last": keep(request(b"X-A: b", b"Host: a", line=_PING, host=b"")),
    "host-none-in-http-1.0": keep(request(line=b"POST /system/ping HTTP/1.0", host=b"")),
    "bad-host-two-in-http-1.0": keep(request(b"Host: b", line=b"POST /system/ping HTTP/1.0")),
    "bad-host-in-http-1.0": keep(
        request(line=b"POST /system/ping HTTP/1.0", host=b"Host: ada@a/b")
    ),
}
