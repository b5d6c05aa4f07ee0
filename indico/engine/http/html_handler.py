"""The base of pages: HTML out, forms in, and errors as pages or as JSON."""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import parse_qsl

from tornado.web import RequestHandler

from ..error import InvalidArgument, UnsupportedMediaType
from .headers import media_type
from .json_handler import JSONHandler
from .secure_headers import HTML, secure_headers

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 100


class HTMLHandler(JSONHandler):
    """A page, or a few that belong together; no page of another origin may read or change it.

    Tornado's `cross_origin_protection` refuses forms of other origins, unless the setting
    `trusted_origins` has them.
    """

    described = False
    shares_with_origins = False
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")
    media_types = ("text/html",)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self._headers.update(secure_headers(self.config))
        self._headers["Content-Type"] = HTML

    def _cross_origin_protection(self) -> None:
        RequestHandler._cross_origin_protection(self)

    def head(self, *path: str) -> Awaitable[None] | None:
        return self.get(*path)

    @property
    def form(self) -> dict[str, str]:
        """The fields of the form that was sent, without empty ones.

        Raises `UnsupportedMediaType` and `InvalidArgument` for another body.
        """
        if media_type(self.request.headers) != _FORM:
            raise UnsupportedMediaType(f"The body must be a form: {_FORM}.")
        try:
            text = self.request.body.decode("utf-8")
            return dict(parse_qsl(text, errors="strict", max_num_fields=_MAX_FIELDS))
        except ValueError:
            raise InvalidArgument("The form can't be read.") from None
