"""Methods and request targets, and bodies after methods that have no use for one."""

from __future__ import annotations

from .exchange import (
    NEXT,
    SMUGGLED,
    Exchange,
    chunked,
    keep,
    label,
    prefixed,
    request,
    with_length,
)

_METHODS = [
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"),
    *(b"get", b"Post", b"FOO", b"PRI", b"QUERY", b"M-SEARCH", b"PROPFIND", b"SOURCE", b"X"),
    *(b"!#$%&'*+-.^_`|~1", b"1", b"X" * 100, b"X" * 10_000),
]
_BAD_METHODS = {
    "empty": b"",
    "space-within": b"PO ST",
    "tab-within": b"PO\tST",
    "nul": b"POST\x00",
    "colon": b"POST:",
    "slash": b"PO/ST",
    "quoted": b'"POST"',
    "brackets": b"[POST]",
    "latin-1": b"P\xd6ST",
    "utf-8": "PÖST".encode(),
    "comma": b"GET,POST",
    "vertical-tab": b"\x0bPOST",
    "escape": b"\x1bPOST",
    "delete": b"POST\x7f",
}
_TARGETS = {
    "absolute": b"http://a/healthz",
    "absolute-other-host": b"http://b/healthz",
    "absolute-https": b"https://a/healthz",
    "absolute-upper-case": b"HTTP://A/healthz",
    "absolute-port": b"http://a:80/healthz",
    "absolute-userinfo": b"http://ada:secret@a/healthz",
    "absolute-no-path": b"http://a",
    "absolute-no-path-but-query": b"http://a?b=c",
    "absolute-no-host": b"http:///healthz",
    "absolute-alone": b"http://",
    "absolute-one-slash": b"http:/healthz",
    "absolute-other-scheme": b"ftp://a/healthz",
    "absolute-unknown-scheme": b"javascript:alert(1)",
    "absolute-ipv6": b"http://[::1]/healthz",
    "absolute-ipv6-open": b"http://[::1/healthz",
    "absolute-ipv6-bad": b"http://[x]/healthz",
    "absolute-port-bad": b"http://a:b/healthz",
    "authority": b"a:80",
    "authority-no-port": b"a",
    "asterisk": b"*",
    "no-slash": b"healthz",
    "two-slashes": b"//healthz",
    "two-slashes-host": b"//a/healthz",
    "slashes": b"////",
    "root": b"/",
    "dot": b"/./healthz",
    "dot-dot": b"/x/../healthz",
    "dot-dot-beyond": b"/../../healthz",
    "slash-at-end": b"/healthz/",
    "query": b"/healthz?a=b&c",
    "query-empty": b"/healthz?",
    "query-alone": b"?a=b",
    "query-questions": b"/healthz?a?b?",
    "query-bad-percent": b"/healthz?a=%zz&%",
    "query-nul": b"/healthz?a=%00",
    "query-latin-1": b"/healthz?a=\xe4",
    "query-semicolons": b"/healthz?a=1;b=2",
    "query-of-1000": b"/healthz?" + b"a=b&" * 999 + b"a=b",
    "query-of-1001": b"/healthz?" + b"a=b&" * 1000 + b"a=b",
    "query-of-10000": b"/healthz?" + b"a=b&" * 9999 + b"a=b",
    "fragment": b"/healthz#a",
    "fragment-query": b"/healthz?a#b",
    "fragment-alone": b"#a",
    "parameter": b"/healthz;a=b",
    "percent": b"/%68ealthz",
    "percent-slash": b"%2Fhealthz",
    "percent-nul": b"/healthz%00",
    "percent-crlf": b"/healthz%0d%0aX-A:%20b",
    "percent-alone": b"/healthz%",
    "percent-bad": b"/healthz%zz",
    "percent-overlong": b"/%c0%afhealthz",
    "latin-1": b"/h\xe4lthz",
    "utf-8": "/hälthz/€😀".encode(),
    "not-utf-8": b"/\xff\xfe",
    "quotes": b"/\"'<>`{}|\\^",
    "backslash": b"\\healthz",
    "colon": b":",
    "of-8-kib": b"/" + b"a" * 8192,
    "of-60-kib": b"/" + b"a" * 60_000,
}
_BAD_TARGETS = {
    "space": b"/heal thz",
    "spaces-at-end": b"/healthz ",
    "tab": b"/heal\tthz",
    "tab-at-end": b"/healthz\t",
    "nul": b"/healthz\x00",
    "control": b"/heal\x01thz",
    "escape": b"/\x1b[31m",
    "delete": b"/heal\x7fthz",
    "vertical-tab": b"/healthz\x0b",
    "bare-cr": b"/healthz\r",
    "empty": b"",
    "of-66-kib": b"/" + b"a" * 66_000,
    "of-1-mib": b"/" + b"a" * (1 << 20),
    "version-within": b"/healthz HTTP/1.1",
}

TARGETS: dict[str, Exchange] = {
    **prefixed(
        "method",
        {
            f"{label(method)}-{path}": keep(
                with_length(line=b"%s /%s HTTP/1.1" % (method, path.encode())) + NEXT
            )
            for method in _METHODS
            for path in ("system/echo", "healthz")
        },
    ),
    **prefixed(
        "bad-method",
        {
            name: keep(with_length(line=method + b" /system/echo HTTP/1.1") + SMUGGLED)
            for name, method in _BAD_METHODS.items()
        },
    ),
    **prefixed(
        "target",
        {
            name: keep(request(line=b"GET %s HTTP/1.1" % target) + NEXT)
            for name, target in _TARGETS.items()
        },
    ),
    **prefixed(
        "bad-target",
        {
            name: keep(request(line=b"GET %s HTTP/1.1" % target) + SMUGGLED)
            for name, target in _BAD_TARGETS.items()
        },
    ),
    "options-asterisk": keep(request(line=b"OPTIONS * HTTP/1.1") + NEXT),
    "options-absolute": keep(request(line=b"OPTIONS http://a HTTP/1.1") + NEXT),
    "connect-authority": keep(request(line=b"CONNECT a:443 HTTP/1.1") + NEXT),
    "connect-with-body": keep(with_length(line=b"CONNECT a:443 HTTP/1.1") + NEXT),
    "post-absolute": keep(with_length(line=b"POST http://b/system/echo HTTP/1.1") + NEXT),
    "get-with-body": keep(with_length(line=b"GET /healthz HTTP/1.1") + NEXT),
    "get-with-chunked-body": keep(
        chunked(b"2\r\n{}\r\n0\r\n\r\n", line=b"GET /healthz HTTP/1.1") + NEXT
    ),
    "head-with-body": keep(with_length(line=b"HEAD /healthz HTTP/1.1") + NEXT),
    "head-with-chunked-body": keep(
        chunked(b"2\r\n{}\r\n0\r\n\r\n", line=b"HEAD /healthz HTTP/1.1") + NEXT
    ),
    "head-with-request-for-body": keep(
        with_length(body=SMUGGLED, line=b"HEAD /healthz HTTP/1.1") + NEXT
    ),
    "get-with-request-for-body": keep(
        with_length(body=SMUGGLED, line=b"GET /healthz HTTP/1.1") + NEXT
    ),
}
