"""The cookie of a browser's session: the same token as the API's, signed.

A browser sends a cookie with requests that any page has made. So an action takes the cookie only
from a page of this server or of `trusted_origins`. The call must say that its body is JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tornado.web import RequestHandler

from ..error import PermissionDenied, UnsupportedMediaType
from ..settings import ServerSettings
from .headers import media_type

_PURPOSE = "session"
MIN_VERSION = 2  # of Tornado's signature: HMAC with SHA-256
# The token's session ends earlier than this. Tornado's own limit is a month.
_MAX_AGE_DAYS = 10 * 366


def cookie_keys(settings: ServerSettings) -> tuple[Mapping[int, str], int]:
    """Return the keys that cookies may be signed with, by their versions, and today's version.

    A version is made from its key. So no one has to count the keys.
    """
    secrets = [settings.secret_key, *settings.old_secret_keys]
    texts = [secret.get_secret_value() for secret in secrets]
    keys = {_version(text): text for text in texts}
    return keys, _version(texts[0])


def set_cookie(handler: RequestHandler, token: str, expires_at: datetime) -> None:
    """Send `token` to the browser. Scripts can't read it, and other sites' forms don't send it."""
    handler.set_signed_cookie(
        cookie_name(handler, _PURPOSE),
        token,
        expires_days=None,
        version=MIN_VERSION,
        expires=expires_at,
        **cookie_attributes(handler),
    )


def clear_cookie(handler: RequestHandler) -> None:
    handler.clear_cookie(cookie_name(handler, _PURPOSE), **cookie_attributes(handler))


def read_cookie(handler: RequestHandler) -> str | None:
    """Return the token in the cookie; None without one that this server has signed."""
    name = cookie_name(handler, _PURPOSE)
    value = handler.get_signed_cookie(name, max_age_days=_MAX_AGE_DAYS, min_version=MIN_VERSION)
    return value.decode("ascii", "replace") if value else None


def cookie_of_action(handler: RequestHandler) -> str | None:
    """Return the token in the cookie of a call.

    Raises `PermissionDenied` for a call from another origin. Raises `UnsupportedMediaType` for any
    type of body but `application/json`, which a form can't send.
    """
    if "Cookie" not in handler.request.headers or (token := read_cookie(handler)) is None:
        return None
    # The check of Tornado's `cross_origin_protection`, for safe methods too.
    if handler._check_cross_origin(handler.check_trusted_origin):
        raise PermissionDenied("A page of another origin may not call this with a cookie.")
    kind = media_type(handler.request.headers)
    if handler.request.method not in ("GET", "HEAD") and kind != "application/json":
        raise UnsupportedMediaType("With a cookie, Content-Type must be application/json.")
    return token


def cookie_name(handler: RequestHandler, purpose: str) -> str:
    """Return a cookie's name, which differs between projects, as cookies are for all ports.

    `__Host-` binds a cookie to this host, and to HTTPS.
    """
    settings = _settings(handler)
    prefix = "" if settings.environment == "development" else "__Host-"
    return f"{prefix}{settings.project()}_{purpose}"


def cookie_attributes(handler: RequestHandler) -> dict[str, Any]:
    """Return what keeps a cookie from scripts, and from forms of other sites."""
    secure = _settings(handler).environment != "development"
    return {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}


def _version(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])


def _settings(handler: RequestHandler) -> ServerSettings:
    settings: ServerSettings = handler.settings["config"]
    return settings
