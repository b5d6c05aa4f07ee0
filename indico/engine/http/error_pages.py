"""Errors as pages, for clients that ask for HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tornado.httputil import HTTPHeaders

from ..error import APIError
from ..settings import ServerSettings
from .accept import wants_html
from .secure_headers import HTML, secure_headers

# Makes the page of an error from the error, the request's id and headers, and a traceback's lines.
# `debug` shows these lines.
Render = Callable[[APIError, str, HTTPHeaders, Sequence[str]], bytes]


class ErrorPages:
    """The pages of errors: `render` makes one, and `headers` go out with it."""

    def __init__(self, render: Render, settings: ServerSettings) -> None:
        self.render = render
        self.headers: Mapping[str, str] = {**secure_headers(settings), "Content-Type": HTML}

    def are_wanted(self, headers: HTTPHeaders) -> bool:
        """Return whether a request with these headers asks for HTML."""
        return wants_html(headers)
