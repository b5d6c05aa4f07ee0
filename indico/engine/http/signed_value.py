"""`SignedValue`: a value that this server signs, and that comes back from a browser or an app."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from tornado.web import RequestHandler

from .session_cookie import MIN_VERSION, cookie_attributes, cookie_name

T = TypeVar("T")


class SignedValue(Generic[T]):
    """A value of type `kind`, for one `purpose`, and valid for so many seconds.

    The signature is that of the session's cookie, so `old_secret_keys` are valid too. The text can
    be read by its holder.
    """

    def __init__(self, purpose: str, kind: type[T], seconds: int) -> None:
        self._purpose = purpose
        self._kind: TypeAdapter[T] = TypeAdapter(kind)
        self._seconds = seconds

    def write(self, handler: RequestHandler, value: T) -> str:
        """Return the value as text for an app."""
        text = self._kind.dump_json(value)
        return handler.create_signed_value(self._purpose, text, MIN_VERSION).decode("ascii")

    def read(self, handler: RequestHandler, text: str) -> T | None:
        """Return the value of a text; None for one that `write` has not written, or long ago."""
        days = self._seconds / 86400
        signed = handler.get_signed_cookie(self._purpose, text, days, MIN_VERSION)
        try:
            return self._kind.validate_json(signed) if signed else None
        except ValidationError:  # of an older version of this server
            return None

    def set_cookie(self, handler: RequestHandler, value: T) -> None:
        """Give the value to the browser, which sends it with each request to this server."""
        text, attributes = self.write(handler, value), cookie_attributes(handler)
        name = cookie_name(handler, self._purpose)
        handler.set_cookie(name, text, max_age=self._seconds, **attributes)

    def read_cookie(self, handler: RequestHandler) -> T | None:
        return self.read(handler, handler.get_cookie(cookie_name(handler, self._purpose), ""))

    def clear_cookie(self, handler: RequestHandler) -> None:
        handler.clear_cookie(cookie_name(handler, self._purpose), **cookie_attributes(handler))
