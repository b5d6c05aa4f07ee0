"""What every route is made of: the envelope, dispatch, and the one place that renders an error."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import secrets
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, NoReturn

import orjson
from pydantic import BaseModel
from tornado.concurrent import Future, future_add_done_callback
from tornado.httputil import HTTPHeaders, format_timestamp
from tornado.web import HTTPError, RequestHandler

from indico.config import Settings
from indico.db import ObjectId
from indico.db.session_db import Session
from indico.error import IndicoError, MethodNotAllowed, RouteNotFound, error_for_status
from indico.routes.application import Application
from indico.routes.body import body_error, parse_object
from indico.utils import LOGGER
from indico.utils.facts import Action, facts

# RFC 9110 leaves it open what an id may be; these can't forge a log line or a header.
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_ACTION_NAME = re.compile(r"[a-zA-Z][a-zA-Z_]*")
_CLIENT_CLOSED_REQUEST = 499  # nginx's number for it; only ever in the log

# Set on each handler; all other names are attributes of its class.
_INSTANCE_ATTRIBUTES = frozenset({"application", "request", "session", "ui", "user_id"})
# An IndicoHandler answers no other method than POST, so these can't be reached as methods.
_FREE_NAMES = frozenset({"get", "head", "put", "patch", "delete", "options"})


class JSONHandler(RequestHandler):
    """What all routes share: a request id, JSON answers in the envelope, errors, the log."""

    application: Application
    # Whose token it is; there once `auth` has let the call in.
    user_id: ObjectId
    session: Session
    client_gone = False
    leaves_when_sent = True
    _request_id: str | None = None
    _body: dict[str, Any] | None = None
    _task: asyncio.Task[Any] | None = None

    @property
    def config(self) -> Settings:
        config: Settings = self.settings["config"]
        return config

    @property
    def request_id(self) -> str:
        """The client's `X-Request-Id` if it is a sane one, else a new one."""
        if self._request_id is None:
            sent = ",".join(self.request.headers.get_list("X-Request-Id"))
            self._request_id = sent if _SANE_ID.fullmatch(sent) else secrets.token_hex(8)
        return self._request_id

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
        headers["Date"] = _date(int(time.time()))
        headers["Content-Type"] = "application/json"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Request-Id"] = self.request_id
        if self.application.draining:
            self.set_header("Connection", "close")

    def prepare(self) -> None:
        self._task = asyncio.current_task()
        if error := body_error(self.request):
            raise error

    def respond(self, data: Any = None, code: int = 200) -> None:
        """Ends the request with `data` in the envelope; `code` is the HTTP status."""
        self.set_status(code)
        self.finish(_dumps({"status": code, "data": data}))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        sent = super().finish(chunk)
        future_add_done_callback(sent, lambda _: self.application.leave(self.request))
        return sent

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        _, raised, _ = kwargs.get("exc_info", (None, None, None))
        error = self._as_indico_error(status_code, raised)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        internal = error.status == 500
        about: dict[str, Any] = {
            "code": error.code,
            "request_id": self.request_id,
            "details": error.details,
        }
        if internal and self.config.debug and raised is not None:
            about["trace"] = traceback.format_exception(raised)
        message = IndicoError.default_message if internal else error.message
        self.finish(_dumps({"status": error.status, "data": message, "error": about}))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._as_indico_error(500, value).status >= 500 and value is not None:
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
        if self._task is not None:
            self._task.cancel()

    def get_status(self) -> int:
        return _CLIENT_CLOSED_REQUEST if self.client_gone else super().get_status()

    def compute_etag(self) -> None:
        return None

    def _as_indico_error(self, status: int, raised: BaseException | None) -> IndicoError:
        """Tornado raises `HTTPError` for what it refuses itself."""
        if isinstance(raised, IndicoError):
            return raised
        status = raised.status_code if isinstance(raised, HTTPError) else status
        if status == 405:
            return MethodNotAllowed(self.SUPPORTED_METHODS)
        return error_for_status(status)


class IndicoHandler(JSONHandler):
    """A resource: each coroutine method in the class body is an action, `POST /<resource>/<name>`.

    A name that begins with `_` is no action. An action answers with `self.respond(data)`, or by
    returning its data; with neither, `data` is null. Without `unpack` it gets the whole body if
    it takes an argument.

        class NoteHandler(IndicoHandler):
            @auth
            @unpack("text")
            @type_check(str)
            async def create(self, text):
                return await NoteDB.create(self.user_id, text)

        NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
    """

    SUPPORTED_METHODS = ("POST",)
    actions: ClassVar[Mapping[str, Action]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited = {name: a for name, a in cls.actions.items() if name not in vars(cls)}
        cls.actions = inherited | {
            name: _action(cls, name, value)
            for name, value in vars(cls).items()
            if inspect.iscoroutinefunction(value) and not name.startswith("_")
        }

    async def post(self, action: str | None = None) -> None:
        method = self.actions.get(action or "")
        if method is None:
            raise RouteNotFound
        body = self.body
        data = await (method(self, body) if facts(method).whole_body else method(self))
        if not self._finished:
            self.respond(data)


class NotFoundHandler(JSONHandler):
    """Answers every path that no route has."""

    def prepare(self) -> NoReturn:
        raise RouteNotFound


def _action(cls: type[IndicoHandler], name: str, action: Action) -> Action:
    """Checks when the class is made what would otherwise show in a request, or never."""
    where = f"{cls.__name__}.{name}"
    hides = hasattr(IndicoHandler, name) or name in _INSTANCE_ATTRIBUTES
    if hides and name not in _FREE_NAMES:
        raise TypeError(
            f"{where} can't be an action: Tornado's or IndicoHandler's own `{name}` would be "
            "hidden by it. Give it another name."
        )
    if not _ACTION_NAME.fullmatch(name):
        raise TypeError(f"{where} can't be an action: a name has letters and _ only.")
    if facts(action).fields is None:
        arguments = len(inspect.signature(action).parameters) - 1
        if arguments > 1:
            raise TypeError(
                f"{where} takes {arguments} arguments: name their fields with @unpack, or take "
                "one, the whole body."
            )
        if facts(action).types and (arguments, len(facts(action).types)) != (1, 1):
            raise TypeError(f"{where}: @type_check without @unpack is for one argument, the body.")
        facts(action).whole_body = arguments == 1
    return action


@functools.lru_cache(maxsize=1)
def _date(timestamp: int) -> str:
    return format_timestamp(timestamp)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} is not JSON")
