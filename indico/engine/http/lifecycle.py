"""The life of a request: its scope, its deadline, and a client that goes away."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tornado.concurrent import Future
from tornado.httputil import HTTPServerRequest
from tornado.log import app_log
from tornado.util import ObjectDict
from tornado.web import HTTPError, RequestHandler, _UIModuleNamespace

from ..error import DeadlineExceeded
from ..settings import ServerSettings
from ..telemetry import tracing
from .client_timeout import HEADER as CLIENT_TIMEOUT
from .client_timeout import client_timeout
from .headers import request_id
from .scope import RequestScope

if TYPE_CHECKING:
    from .application import Application

_CLIENT_CLOSED_REQUEST = 499  # nginx's number for this; only the log shows it


class LifecycleHandler(RequestHandler):
    """A handler whose action ends with its answer, its deadline or its client."""

    application: Application
    scope: RequestScope
    client_gone = False
    holds_answer = False
    _request_id: str | None = None
    _task: asyncio.Task[Any] | None = None
    _timer: asyncio.TimerHandle | None = None  # for a client that gives less time than the server

    # Tornado's own, which it sets on each handler.
    _headers_written = _finished = False
    _auto_finish = True
    _prepared_future = None

    def __init__(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None:
        """Do what Tornado's handler does, except for `ui`, which templates need."""
        self.application, self.request = application, request
        self.scope = RequestScope()
        self.clear()
        connection: Any = request.connection
        connection.set_close_callback(self.on_connection_close)
        self.initialize(**kwargs)

    @cached_property
    def ui(self) -> ObjectDict:  # type: ignore[override]
        """The functions of templates."""
        methods = self.application.ui_methods
        ui = ObjectDict({name: self._ui_method(method) for name, method in methods.items()})
        modules = _UIModuleNamespace(self, self.application.ui_modules)
        ui.update(_tt_modules=modules, modules=modules)
        return ui

    async def _execute_short(self, transforms: list[Any], *args: str, **kwargs: str) -> None:
        """Do what Tornado's `_execute` does, for a request whose body is there.

        The task of a cancelled request ends like any other one. A cancelled task would keep its
        traceback, which refers to the request and to the task itself.
        """
        self._transforms = transforms
        try:
            if self.request.method not in self.SUPPORTED_METHODS:
                raise HTTPError(405)
            self.path_args, self.path_kwargs = list(args), kwargs
            self._cross_origin_protection()
            if (preparing := self.prepare()) is not None:  # type: ignore[func-returns-value]
                await preparing
            if self._finished:
                return
            method = getattr(self, self.request.method.lower())
            if (answering := method(*self.path_args, **self.path_kwargs)) is not None:
                await answering
            if self._auto_finish and not self._finished:
                self.finish()
        except (Exception, asyncio.CancelledError) as error:
            self._answer_failure(error)

    def _answer_failure(self, error: BaseException) -> None:
        """Answer a request whose handler has raised `error`, or was cancelled."""
        task = asyncio.current_task()
        try:
            if not (isinstance(error, asyncio.CancelledError) and task and task.cancelling()):
                self._handle_request_exception(error)
            elif not self._finished:
                self.send_error(500)
        except Exception:
            app_log.error("Exception in exception handler", exc_info=True)

    @property
    def config(self) -> ServerSettings:
        config: ServerSettings = self.settings["config"]
        return config

    @property
    def request_id(self) -> str:
        """The client's `X-Request-Id` if it is a sane id, else a new id."""
        if self._request_id is None:
            self._request_id = request_id(self.request.headers)
        return self._request_id

    def prepare(self) -> None:
        self._task = self._task or asyncio.current_task()
        self.enter_scope()
        deadline = self.application.deadlines.start(self)
        self.scope.set_deadline(deadline)
        if sent := self.request.headers.get_list(CLIENT_TIMEOUT):
            self._end_by(asyncio.get_running_loop().time() + client_timeout(sent), deadline)

    def _end_by(self, time: float, deadline: float) -> None:
        """Time out at this time of the loop's clock, if it is before the deadline."""
        if time < deadline:
            self._timer = asyncio.get_running_loop().call_at(time, self.time_out)
            self.scope.set_deadline(time)

    def enter_scope(self) -> None:
        if tracing.tracer is not None:
            route, project = self.application.names.route(self), self.config.project()
            self.scope.start_span(tracing.tracer, self.request, self.request_id, route, project)
        self.scope.enter(self.request, self.request_id)

    def time_out(self) -> None:
        """End the action where it waits, unless its answer has begun: then its client decides."""
        if self._task is not None and not (self._headers_written or self._finished):
            self._cancel_task(self._task)
            self.send_error(504, exc_info=(None, DeadlineExceeded(), None))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        self.stop_time()
        return super().finish(chunk)

    def cut_off(self) -> None:
        """Close the connection under an incomplete answer, so that its client notices."""
        self.detach().close()
        self._log()

    def on_connection_close(self) -> None:
        """End the action where it waits, because its client went away."""
        self.client_gone = True
        self.application.admission.release(self.request)
        self.stop_time()
        if self._task is not None and self.scope.entered:
            self._cancel_task(self._task)

    def _cancel_task(self, task: asyncio.Task[Any]) -> None:
        """Cancel the handler's task, and forget it: its traceback refers to the handler."""
        self._task = None
        task.cancel()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        self.holds_answer = False
        if self.client_gone and self._headers_written:
            self.finish()  # no client reads the error, and a client that left is no fault
        else:
            super().send_error(status_code, **kwargs)

    def get_status(self) -> int:
        return _CLIENT_CLOSED_REQUEST if self.client_gone else super().get_status()

    def stop_time(self) -> None:
        """End the request's time, because its answer begins, or its client is gone."""
        self.application.deadlines.stop(self)
        if self._timer is not None:
            self._timer.cancel()
        self.scope.lift_deadline()
