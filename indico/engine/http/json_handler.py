"""What every route is made of: a request id, JSON, the one place that renders an error."""

from __future__ import annotations

import asyncio
import math
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel
from tornado.concurrent import Future, future_add_done_callback
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError, RequestHandler

from .. import log
from ..error import (
    APIError,
    DeadlineExceeded,
    MethodNotAllowed,
    Overloaded,
    error_for_status,
)
from ..log import LOGGER
from ..mongo.driver import ObjectId
from ..mongo.operation import DEADLINE, Deadline
from ..settings import ServerSettings
from ..telemetry import tracing
from .body import body_error, parse_object
from .headers import date, request_id
from .route_names import UNKNOWN

if TYPE_CHECKING:
    from .application import Application

_CLIENT_CLOSED_REQUEST = 499  # nginx's number for it; only ever in the log


class JSONHandler(RequestHandler):
    """What all routes share: a request id, JSON answers in the envelope, errors, the log."""

    application: Application
    client_gone = False
    leaves_when_sent = True
    span: Any = None  # OpenTelemetry's, with the setting `tracing`
    _request_id: str | None = None
    _body: dict[str, Any] | None = None
    _task: asyncio.Task[Any] | None = None
    _begun = False
    _deadline = Deadline()

    @property
    def config(self) -> ServerSettings:
        config: ServerSettings = self.settings["config"]
        return config

    @property
    def request_id(self) -> str:
        """The client's `X-Request-Id` if it is a sane one, else a new one."""
        if self._request_id is None:
            self._request_id = request_id(self.request.headers)
        return self._request_id

    @property
    def action_name(self) -> str:
        """What was asked for, `unknown` if there is no such thing: a label of the metrics."""
        method = self.request.method or ""
        return method if method in self.SUPPORTED_METHODS else UNKNOWN

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises `InvalidJSON`."""
        if self._body is None:
            self._body = parse_object(self.request.body)
        return self._body

    @property
    def has_body(self) -> bool:
        return bool(self.request.body)

    def clear(self) -> None:
        """As Tornado's, with the date made once a second, and no headers to be taken back."""
        self._headers = HTTPHeaders()
        self.set_default_headers()
        self._write_buffer = []
        self.set_status(200)

    def set_default_headers(self) -> None:
        headers = self._headers  # `set_header` checks each of them anew
        headers["Date"] = date()
        headers["Content-Type"] = "application/json"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Request-Id"] = self.request_id
        if self.application.draining:
            self.set_header("Connection", "close")

    def prepare(self) -> None:
        self._task = asyncio.current_task()
        self.begin()
        if error := body_error(self.request):
            raise error
        # What the action asks of the database ends with that time too.
        self._deadline = Deadline(self.application.bound(self))
        DEADLINE.set(self._deadline)

    def begin(self) -> None:
        """What this task logs, and does on the database, belongs to this request from now on."""
        self._begun = True
        about = {"request_id": self.request_id}
        request = self.request
        if tracing.tracer is not None:
            self.span = tracing.tracer.request(
                request.method or "",
                request.path,
                self.application.route(self),
                request.headers,
                request._start_time,
            )
            self.span.set_attribute(f"{self.config.project()}.request_id", self.request_id)
            about["trace_id"] = tracing.trace_id(self.span)
        elif sent := request.headers.get_list("Traceparent"):  # `in` takes an exception
            trace_id = tracing.sent_trace_id(sent[0])
            about |= {"trace_id": trace_id} if trace_id else {}
        log.REQUEST.set(about)

    def time_out(self) -> None:
        """Ends the action where it waits, unless its answer has begun: then its client decides."""
        if self._task is not None and not (self._headers_written or self._finished):
            self._task.cancel()
            self.send_error(504, exc_info=(None, DeadlineExceeded(), None))

    def _unbound(self) -> None:
        """What the action has left to other tasks may take its time."""
        self.application.unbound(self)
        self._deadline.at = math.inf

    def respond(self, data: Any = None, code: int = 200) -> None:
        """Ends the request with `data` in the envelope; `code` is the HTTP status."""
        self.set_status(code)
        self.finish(dumps({"status": code, "data": data}))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        self._unbound()
        sent = super().finish(chunk)
        future_add_done_callback(sent, lambda _: self.application.leave(self.request))
        return sent

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        if self.client_gone and self._headers_written:
            self.finish()  # nobody is told, and that is no error
        else:
            super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if not self._begun:  # refused by Tornado itself, before `prepare`
            self.begin()
        _, raised, _ = kwargs.get("exc_info", (None, None, None))
        error = self._as_api_error(status_code, raised)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        trace = traceback.format_exception(raised) if self.config.debug and raised else []
        self.finish(dumps(self.error_body(error, trace)))

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        """What the answer to a request that failed holds; `trace` has lines with `debug` only."""
        about = self.about_error(error)
        if error.status == 500 and trace:
            about["trace"] = trace
        return {"status": error.status, "data": self.error_message(error), "error": about}

    def about_error(self, error: APIError) -> dict[str, Any]:
        """For a program."""
        return {"code": error.code, "request_id": self.request_id, "details": error.details}

    def error_message(self, error: APIError) -> str:
        """For a person, who is told nothing of the inside."""
        return APIError.default_message if error.status == 500 else error.message

    def cut_off(self) -> None:
        """Ends an answer that can't be completed, so that the client notices."""
        self.detach().close()
        self._log()
        self.application.leave(self.request)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if isinstance(value, Overloaded):
            return  # the line of the request says it
        if self._as_api_error(500, value).status >= 500 and value is not None:
            LOGGER.error(
                "%s %s failed id=%s",
                self.request.method,
                self.request.path,
                self.request_id,
                exc_info=value,
                extra={"fields": {"request_id": self.request_id}},
            )

    def on_connection_close(self) -> None:
        """The client went away: the action ends where it waits."""
        self.client_gone = True
        self.application.leave(self.request)
        self._unbound()
        if self._task is not None:
            self._task.cancel()

    def get_status(self) -> int:
        return _CLIENT_CLOSED_REQUEST if self.client_gone else super().get_status()

    def compute_etag(self) -> str | None:
        return None

    def _as_api_error(self, status: int, raised: BaseException | None) -> APIError:
        """Tornado raises `HTTPError` for what it refuses itself."""
        if isinstance(raised, APIError):
            return raised
        status = raised.status_code if isinstance(raised, HTTPError) else status
        if status == 405:
            return MethodNotAllowed(self.SUPPORTED_METHODS)
        return error_for_status(status)


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} is not JSON")
