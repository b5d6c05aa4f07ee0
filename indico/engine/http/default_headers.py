"""The headers that every answer has, and answers that have no other headers, written at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from tornado.concurrent import Future
from tornado.httputil import HTTPHeaders

from ..error import ServerError
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
_NONE: Mapping[str, str] = {}
# A subclass that overrides one of these gets all of its answers by way of it.
_SHORTENED = ("set_default_headers", "write", "flush")


class HeldAnswer(NamedTuple):
    """An answer that is complete, and not written yet."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


class DefaultHeadersHandler(LifecycleHandler):
    """A handler that makes the headers of its answer when they are asked for.

    Most answers to POST never ask: their head is written from a template, together with the body.
    `more_headers` are in each answer of the request, whatever clears the others. A handler that
    `holds_answer` writes nothing, and its complete answer is the `held_answer`.
    """

    shares_with_origins: ClassVar[bool] = True  # with those in `cors_origins`
    held_answer: Any = None  # a `HeldAnswer`, or None
    more_headers: Mapping[str, str] = _NONE
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
        headers.update(self.more_headers)
        if self.application.cors is not None and self.shares_with_origins:
            headers.update(self.application.cors.fields(self.request.headers))
        if self.application.draining:
            self.set_header("Connection", "close")

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Add headers to each answer of the request, also to that of an error."""
        self.more_headers = {**self.more_headers, **headers}
        if self._made_headers is not None:
            self._made_headers.update(headers)

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        if self.holds_answer:
            return self._hold(chunk)
        connection = self.request.connection
        if isinstance(chunk, bytes) and isinstance(connection, Exchange) and self._is_short():
            return self._finish_at_once(connection, chunk)
        return super().finish(chunk)

    def flush(self, include_footers: bool = False) -> Future[None]:
        if self.holds_answer:
            raise ServerError("An answer in pieces can't be kept for its Idempotency-Key.")
        return super().flush(include_footers)

    def _hold(self, chunk: str | bytes | dict[Any, Any] | None) -> Future[None]:
        if chunk is not None:
            self.write(chunk)
        body, self._write_buffer = b"".join(self._write_buffer), []
        headers = [*self._headers.get_all()]
        self.held_answer = HeldAnswer(self._status_code, self._reason, headers, body)
        held: Future[None] = Future()
        held.set_result(None)
        return held

    def hold_answer(self) -> None:
        """Write no answer before `release_answer`, and forget any that is held."""
        self.holds_answer, self.held_answer = True, None

    def take_answer_headers(self, answer: HeldAnswer) -> None:
        """Give the next answer the status and the headers of `answer`."""
        self.set_status(answer.status, answer.reason)
        for name in ("Content-Type", *(name for name, _ in answer.headers)):
            self.clear_header(name)
        for name, value in answer.headers:
            self.add_header(name, value)

    def release_answer(self, answer: HeldAnswer) -> None:
        """Write an answer that was held."""
        self.holds_answer = False
        self.finish(answer.body or None)

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
        more = "".join(f"{name}: {value}\r\n" for name, value in self.more_headers.items())
        connection.set_close_callback(None)
        self._headers_written = True
        sent = connection.write_answer((_HEAD % values + more).encode("latin1"), body)
        self._log()
        self._finished = True
        self.on_finish()
        self._break_cycles()
        return sent
