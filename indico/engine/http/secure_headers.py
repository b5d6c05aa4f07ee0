"""The headers that tell a browser what a page may do, and what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping

from ..settings import ServerSettings

HTML = "text/html; charset=utf-8"
# A page has nothing but files and forms of its own server, and no script or style in the HTML.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer`, browsers would send forms with the origin `null`.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def secure_headers(settings: ServerSettings) -> Mapping[str, str]:
    """Return the headers of every page; outside development, HTTPS is a must for a year."""
    return _HEADERS if settings.environment == "development" else {**_HEADERS, **_HSTS}
