"""The headers that every answer has, and answers that have no other headers, written at once."""

from __future__ import annotations

from typing import Any, ClassVar

from tornado.concurrent import Future
from tornado.httputil import HTTPHeaders

from .exchange import Exchange
from .headers import date
from .lifecycle import LifecycleHandler

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_HEAD = "".join(
    [
        "HTTP/1.1 %d %s\r\nDate: %s\r\n",
        *(f"{name}: {value}\r\n" for name, value in _HEADERS.items()),
        "X-Request-Id: %s\r\nContent-Length: %d\r\n",
    ]
)
# A subclass that overrides one of these gets all of its answers by way of it.
_SHORTENED = ("set_default_headers", "write", "flush")


class DefaultHeadersHandler(LifecycleHandler):
    """A handler that makes the headers of its answer when they are asked for.

    Most answers to POST never ask: their head is written from a template, together with the body.
    """

    shares_with_origins: ClassVar[bool] = True  # with those in `cors_origins`
    _may_shorten = True
    _made_headers: HTTPHeaders | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._may_shorten = all(
            getattr(cls, name) is getattr(DefaultHeadersHandler, name) for name in _SHORTENED
        )

    def clear(self) -> None:
        """Clear as Tornado does, but make no headers yet."""
        self._made_headers = None
        self._write_buffer = []
        self._status_code, self._reason = 200, "OK"

    @property
    def _headers(self) -> HTTPHeaders:
        if self._made_headers is None:
            self._made_headers = HTTPHeaders()
            self.set_default_headers()
        return self._made_headers

    @_headers.setter
    def _headers(self, headers: HTTPHeaders) -> None:
        self._made_headers = headers

    def set_default_headers(self) -> None:
        headers = self._headers  # `set_header` would check each header anew
        headers["Date"] = date()
        headers.update(_HEADERS)
        headers["X-Request-Id"] = self.request_id
        if self.application.cors is not None and self.shares_with_origins:
            headers.update(self.application.cors.fields(self.request.headers))
        if self.application.draining:
            self.set_header("Connection", "close")

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        connection = self.request.connection
        if isinstance(chunk, bytes) and isinstance(connection, Exchange) and self._is_short():
            return self._finish_at_once(connection, chunk)
        return super().finish(chunk)

    def _is_short(self) -> bool:
        """Return whether the answer is to POST, and has the default headers and one part."""
        return (
            self._may_shorten
            and self.request.method == "POST"
            and self._made_headers is None
            and not (self._finished or self._write_buffer or self._transforms)
            and not hasattr(self, "_new_cookie")
            and not self._should_not_send_content(self._status_code)
            and not (self.application.draining or self.application.cors)
        )

    def _finish_at_once(self, connection: Exchange, body: bytes) -> Future[None]:
        """Do what `finish` does, in the same order."""
        self.stop_time()
        values = self._status_code, self._reason, date(), self.request_id, len(body)
        connection.set_close_callback(None)
        self._headers_written = True
        sent = connection.write_answer((_HEAD % values).encode("latin1"), body)
        self._log()
        self._finished = True
        self.on_finish()
        self._break_cycles()
        return sent
