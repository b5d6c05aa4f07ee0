"""`RestHandler`: a resource by HTTP's own methods, with raw bodies, as REST clients expect them."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, cast

from tornado.iostream import StreamClosedError
from tornado.web import GZipContentEncoding, RequestHandler

from ..error import APIError, InvalidJSON
from .action import ActionRecord, record_of
from .call_limits import refuse_unfit_limits, take_tokens
from .conditional_handler import ConditionalHandler
from .effects import REPEATABLE
from .error_answers import render_rest_error
from .json_answer import dumps
from .keyed_call import KeyedCall
from .query import query_fields
from .unknown_fields import known_fields

_METHODS = ("get", "post", "put", "patch", "delete")
_NO_GZIP = re.compile(r"gzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)", re.IGNORECASE)
_STREAM_BYTES = 1 << 16


class RestHandler(ConditionalHandler):
    """A resource: each coroutine method `get`, `post`, `put`, `patch` and `delete` answers.

    A method gets the groups of its route's pattern. It answers with `self.respond(data, code)`, or
    by returning its data, without the envelope; with neither, the answer is a 204. `@auth` works
    as on an action, and `@unpack` on a `get` takes fields of the query. The class itself answers
    HEAD and OPTIONS. A return annotation like `Note | None` is for a method that may also answer by
    itself, as with `not_modified`.

        class NoteHandler(RestHandler):
            async def get(self, note_id: str) -> Note:
                return await NoteDB.get(_id(note_id))

        NoteRoute = (r"/notes/([^/]+)/?", NoteHandler)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _METHODS:
            if name in vars(cls):
                setattr(cls, name, _answering(cls, name, vars(cls)[name]))
        if "SUPPORTED_METHODS" not in vars(cls):
            own = [n for n in _METHODS if getattr(cls, n) is not getattr(RequestHandler, n)]
            names = [*own, *(["head"] if "get" in own else []), "options"]
            cls.SUPPORTED_METHODS = tuple(map(str.upper, names))

    @staticmethod
    def is_action_name(name: str) -> bool:
        return name in _METHODS

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises `InvalidJSON`, also for an empty body."""
        if not self.has_body:
            raise InvalidJSON("The body is empty: it must be a JSON object.")
        return super().body

    @property
    def repeatable(self) -> bool:
        """True if it does no harm to make this call twice: as its method, or its mark, says."""
        method = getattr(self, (self.request.method or "").lower(), None)
        record: ActionRecord | None = getattr(method, "record", None)
        marked = bool(record and record.effect in REPEATABLE)
        return super().repeatable or marked or bool(self.idempotency_keys)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-cache")  # caches ask again, with the ETag

    def prepare(self) -> None:
        if not _NO_GZIP.search(self.request.headers.get("Accept-Encoding", "")):
            self._transforms.append(GZipContentEncoding(self.request))
        super().prepare()

    async def head(self, *path: str) -> None:
        await cast(Awaitable[None], self.get(*path))

    async def options(self, *path: str) -> None:
        self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.respond()

    @property
    def record(self) -> ActionRecord | None:
        method = (self.request.method or "").lower()
        answering = getattr(self, "get" if method == "head" else method, None)
        return getattr(answering, "record", None)

    def respond(self, data: Any = None, code: int = 200) -> None:
        """End the request with `data` as its body; None is an empty body, and turns 200 to 204."""
        if self.application.checks_answers:
            self.check_answer(data, code)
        if data is None:
            self.set_status(204 if code == 200 else code)
            self.clear_header("Content-Type")
            self.finish()
        else:
            self.set_status(code)
            self.finish(dumps(data))

    async def stream(self, pieces: AsyncIterator[bytes]) -> None:
        """End the request with `pieces`, no faster than the client reads them.

        A failure closes the connection, so that no client takes a part for the whole.
        """
        size = 0
        if self.request.method == "HEAD":
            await self.flush()  # without this Tornado would send a Content-Length of 0
        else:
            try:
                async for piece in pieces:
                    self.write(piece)
                    size += len(piece)
                    if size >= _STREAM_BYTES:
                        self.stop_time()  # a slow client may take longer than an action
                        await self.flush()
                        size = 0
            except StreamClosedError:
                self.client_gone = True  # `on_connection_close` is still to come
            except Exception:
                if self._headers_written:
                    self.cut_off()
                raise
        self.finish()

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        request = self.request
        where = request.method or "", request.uri or ""
        reason, body = render_rest_error(error, self.request_id, *where, trace, self.repeatable)
        self.set_status(error.status, reason)
        return body


def _answering(
    cls: type[RestHandler], name: str, method: Callable[..., Coroutine[Any, Any, Any]]
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return `method` with what its record asks for before, and the answer after."""
    record = record_of(method)
    refuse_unfit_limits(f"{cls.__name__}.{name}", record)
    if record.types and record.fields is None:
        record.whole_body, record.known = True, known_fields(record.types)
        if name == "get" or len(record.types) != 1:
            raise TypeError(
                f"{cls.__name__}.{name}: @type_check without @unpack is for one argument, the body."
            )

    changes = name != "get" and record.effect != "read_only"

    @functools.wraps(method)
    async def answering(self: RestHandler, *path: str) -> None:
        if record.deprecation is not None:
            self.deprecate(record.deprecation)
        if record.look_up:
            await self.authenticate(record.look_up)
        await self.load_body()
        fields: Sequence[Any] = ()
        if name == "get":
            fields = record.arguments(query_fields(self, record), sent=True)
        elif record.whole_body or record.fields is not None:
            fields = await self.arguments(record, self.body)
        await take_tokens(self, record, fields)
        if changes and (keys := self.idempotency_keys):
            call = functools.partial(method, self, *path, *fields)
            await KeyedCall(self, keys, call, record.status).answer()
            return
        data = await method(self, *path, *fields)
        if not self._finished:
            self.respond(data, record.status)

    return answering
