"""Tornado's own tests that fail on this engine's server, and the reason for each."""

from __future__ import annotations

REASONS: dict[str, list[str]] = {
    "llhttp refuses it with 400 too, and the log has its words, not Tornado's.": [
        "HTTPServerRawTest.test_chunked_request_body_duplicate_header",
        "HTTPServerRawTest.test_chunked_request_body_invalid_size",
        "HTTPServerRawTest.test_chunked_request_body_transfer_encoding_and_content_length",
        "HTTPServerRawTest.test_chunked_request_body_unsupported_transfer_encoding",
        "HTTPServerRawTest.test_content_length_list_whitespace",
        "HTTPServerRawTest.test_invalid_content_length",
        "HTTPServerRawTest.test_malformed_headers",
    ],
    "Lines end with CRLF; Tornado will refuse the bare LF from 6.7 on.": [
        "HTTPConnectionTest.test_newlines",
    ],
    "Too long a head is answered 400, and logged, before the connection is closed.": [
        "MaxHeaderSizeTest.test_large_headers",
    ],
    "asyncio tells a server nothing of a TLS handshake that has failed.": [
        "SSLTest.test_error_logging",
        "SSLTest.test_non_ssl_request",
    ],
    "A dictionary of TLS options needs no `certfile` for `netutil.ssl_options_to_context`.": [
        "BadSSLOptionsTest.test_missing_arguments",
    ],
    "`trusted_proxies` names the proxies that are believed; `xheaders` believes every client.": [
        "SSLXHeaderTest.test_request_without_xprotocol",
        "XHeaderTest.test_ip_headers",
        "XHeaderTest.test_scheme_headers",
        "XHeaderTest.test_trusted_downstream",
    ],
    "A trusted proxy tells the protocol of each request; `protocol` is one for all.": [
        "ManualProtocolTest.test_manual_protocol",
    ],
    "An application is an `HTTPServerConnectionDelegate`; a function was one until Tornado 4.": [
        "LegacyInterfaceTest.test_legacy_interface",
    ],
    "asyncio's transport has no `IOStream`, so `request.connection` has no `stream`.": [
        "ClientCloseTest.test_client_close",
    ],
}
DIFFERENCES = {name: reason for reason, names in REASONS.items() for name in names}
