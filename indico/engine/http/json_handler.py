"""What every route is made of: a request id, JSON answers, errors, the end of an action."""

from __future__ import annotations

import asyncio
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel
from tornado.concurrent import Future, future_add_done_callback
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import RequestHandler

from ..error import APIError, AuthError, DeadlineExceeded
from ..log import LOGGER
from ..mongo.driver import ObjectId
from ..settings import ServerSettings
from .action import LookUp
from .body import body_error, parse_object
from .errors import as_api_error, render_error
from .headers import date, request_id
from .route_names import UNKNOWN
from .scope import RequestScope

if TYPE_CHECKING:
    from .application import Application

_CLIENT_CLOSED_REQUEST = 499  # nginx's number for it; only ever in the log


class JSONHandler(RequestHandler):
    """What all routes share.

    `session` is what the look-up of `@auth` has found, and `user_id` is the session's.
    """

    application: Application
    session: Any
    user_id: Any
    client_gone = False
    _request_id: str | None = None
    _body: dict[str, Any] | None = None
    _task: asyncio.Task[Any] | None = None

    def __init__(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None:
        self.scope = RequestScope()
        super().__init__(application, request, **kwargs)

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
        """Clear as Tornado does, with the date made once a second, and the headers at once."""
        self._headers = HTTPHeaders()
        self.set_default_headers()
        self._write_buffer = []
        self.set_status(200)

    def set_default_headers(self) -> None:
        headers = self._headers  # `set_header` would check each of them anew
        headers["Date"] = date()
        headers["Content-Type"] = "application/json"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Request-Id"] = self.request_id
        if self.application.draining:
            self.set_header("Connection", "close")

    def prepare(self) -> None:
        self._task = asyncio.current_task()
        self._enter_scope()
        if error := body_error(self.request):
            raise error
        self.scope.set_deadline(self.application.deadlines.start(self))

    def _enter_scope(self) -> None:
        route = self.application.names.route(self)
        self.scope.enter(self.request, self.request_id, route, self.config.project())

    async def authenticate(self, look_up: LookUp) -> None:
        """Set `session` and `user_id`. Raises `AuthError` if the request has no session."""
        session = await look_up(self.request.headers)
        if session is None:
            raise AuthError
        self.session, self.user_id = session, session.user_id

    def time_out(self) -> None:
        """End the action where it waits, unless its answer has begun: then its client decides."""
        if self._task is not None and not (self._headers_written or self._finished):
            self._task.cancel()
            self.send_error(504, exc_info=(None, DeadlineExceeded(), None))

    def _stop_time(self) -> None:
        self.application.deadlines.stop(self)
        self.scope.lift_deadline()

    def respond(self, data: Any = None, code: int = 200) -> None:
        """End the request with `data` in the envelope; `code` is the HTTP status."""
        self.set_status(code)
        self.finish(dumps({"status": code, "data": data}))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        self._stop_time()
        sent = super().finish(chunk)
        future_add_done_callback(sent, lambda _: self._release())
        return sent

    def _release(self) -> None:
        self.application.admission.release(self.request)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        if self.client_gone and self._headers_written:
            self.finish()  # nobody is told, and that is no error
        else:
            super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if not self.scope.entered:  # refused by Tornado itself, before `prepare`
            self._enter_scope()
        _, raised, _ = kwargs.get("exc_info", (None, None, None))
        error = self.as_error(status_code, raised)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        trace = traceback.format_exception(raised) if self.config.debug and raised else []
        self.finish(dumps(self.error_body(error, trace)))

    def as_error(self, status: int, raised: BaseException | None) -> APIError:
        return as_api_error(status, raised, self.SUPPORTED_METHODS)

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        """Return the body of the answer to a request that failed."""
        return render_error(error, self.request_id, trace)

    def cut_off(self) -> None:
        """Close the connection under an answer that can't be completed, so that this shows."""
        self.detach().close()
        self._log()
        self._release()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.as_error(500, value).status >= 500 and value is not None:
            LOGGER.error(
                "%s %s failed id=%s",
                self.request.method,
                self.request.path,
                self.request_id,
                exc_info=value,
                extra={"fields": {"request_id": self.request_id}},
            )

    def on_connection_close(self) -> None:
        """End the action where it waits, because its client went away."""
        self.client_gone = True
        self._release()
        self._stop_time()
        if self._task is not None:
            self._task.cancel()

    def get_status(self) -> int:
        return _CLIENT_CLOSED_REQUEST if self.client_gone else super().get_status()

    def compute_etag(self) -> str | None:
        return None


def dumps(value: Any) -> bytes:
    """Return JSON; ObjectIds, times and pydantic models are allowed in `value`."""
    return orjson.dumps(value, default=_encodable, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _encodable(value: Any) -> Any:
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} is not JSON")
