"""`RestHandler`: a resource by HTTP's own methods, with raw bodies, as REST clients expect them."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NoReturn, cast

from tornado.iostream import StreamClosedError
from tornado.web import GZipContentEncoding, RequestHandler

from ..error import APIError, InvalidJSON, PreconditionFailed, RouteNotFound
from .action import record_of
from .errors import render_for_both, render_rest_error
from .json_handler import JSONHandler, dumps
from .route_names import UNKNOWN

_METHODS = ("get", "post", "put", "patch", "delete")
# A weak tag counts as a strong one: a proxy that compresses makes them weak, and ours name a
# version of the data, whatever its bytes.
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_NO_GZIP = re.compile(r"gzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)", re.IGNORECASE)
_STREAM_BYTES = 1 << 16


class RestHandler(JSONHandler):
    """A resource: each of its coroutine methods `get`, `post`, `put`, `patch` and `delete`.

    A method gets the parts of the path that its route has in parentheses. It answers with
    `self.respond(data, code)`, or by returning its data, without the envelope; with neither the
    answer is a 204. HEAD and OPTIONS come of themselves.

        class NoteHandler(RestHandler):
            async def get(self, note_id):
                return await NoteDB.get(_id(note_id))

        NoteRoute = (r"/notes/([^/]+)/?", NoteHandler)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _METHODS:
            if name in vars(cls):
                setattr(cls, name, _answering(vars(cls)[name]))
        if "SUPPORTED_METHODS" not in vars(cls):
            own = [n for n in _METHODS if getattr(cls, n) is not getattr(RequestHandler, n)]
            names = [*own, *(["head"] if "get" in own else []), "options"]
            cls.SUPPORTED_METHODS = tuple(map(str.upper, names))

    @property
    def body(self) -> dict[str, Any]:
        if not self.has_body:
            raise InvalidJSON("The body is empty: it must be a JSON object.")
        return super().body

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-cache")  # kept, but asked for with its ETag

    def prepare(self) -> None:
        if not _NO_GZIP.search(self.request.headers.get("Accept-Encoding", "")):
            self._transforms.append(GZipContentEncoding(self.request))
        super().prepare()

    async def head(self, *path: str) -> None:
        await cast(Awaitable[None], self.get(*path))

    async def options(self, *path: str) -> None:
        self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.respond()

    def respond(self, data: Any = None, code: int = 200) -> None:
        """Ends the request with `data` as it is; without any the body is empty, and a 200 a 204."""
        if data is None:
            self.set_status(204 if code == 200 else code)
            self.clear_header("Content-Type")
            self.finish()
        else:
            self.set_status(code)
            self.finish(dumps(data))

    async def stream(self, pieces: AsyncIterator[bytes]) -> None:
        """Ends the request with `pieces`, as they come and no faster than the client takes them.

        If one fails to come, the connection is cut: nobody is to take a part for the whole.
        """
        size = 0
        if self.request.method == "HEAD":
            await self.flush()  # else there would be a length, of 0
        else:
            try:
                async for piece in pieces:
                    self.write(piece)
                    size += len(piece)
                    if size >= _STREAM_BYTES:
                        await self.flush()
                        size = 0
            except StreamClosedError:
                self.client_gone = True  # as we are about to be told
            except Exception:
                if self._headers_written:
                    self.cut_off()
                raise
        self.finish()

    def set_tag(self, tag: str) -> None:
        """What is answered, or was made, has this ETag."""
        self.set_header("ETag", f'"{tag}"')

    def not_modified(self, tag: str) -> bool:
        """Gives the answer this ETag; True if the client has it, and was answered 304.

        Raises `PreconditionFailed` where `If-Match` asks for another one.
        """
        if self.versions is not None and tag not in self.versions:
            raise PreconditionFailed
        self.set_tag(tag)
        if not self.check_etag_header():
            return False
        self.set_status(304)
        self.finish()
        return True

    def check_etag_header(self) -> bool:
        tags = self.tags("If-None-Match")
        own = self._headers.get("ETag", "").strip('"')
        return bool(tags and not tags.isdisjoint({own, "*"}))

    def tags(self, name: str) -> set[str] | None:
        """What `If-Match` or `If-None-Match` lists, {"*"} for any; None if it was not sent."""
        values = self.request.headers.get_list(name)
        if not values:
            return None
        return {"*"} if set(values) == {"*"} else set(_TAG.findall(",".join(values)))

    def refuse_match(self, tag: str) -> None:
        """Raises `PreconditionFailed` if a change is not to be made of what has this ETag."""
        if not (self.tags("If-None-Match") or set()).isdisjoint({tag, "*"}):
            raise PreconditionFailed

    @property
    def versions(self) -> set[str] | None:
        """The versions to one of which `If-Match` binds a change; None if any will do."""
        tags = self.tags("If-Match")
        return None if tags == {"*"} else tags

    def compute_etag(self) -> str | None:
        """That of an answer which has been given none: Tornado's, a digest of the body."""
        return RequestHandler.compute_etag(self)

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        request = self.request
        reason, body = render_rest_error(
            error, self.request_id, request.method or "", request.uri or "", trace
        )
        self.set_status(error.status, reason)
        return body


class NotFoundHandler(RestHandler):
    """Answers every path that no route has, in the words of both kinds of clients."""

    SUPPORTED_METHODS = RequestHandler.SUPPORTED_METHODS
    action_name = UNKNOWN

    def prepare(self) -> NoReturn:
        raise RouteNotFound

    def as_error(self, status: int, raised: BaseException | None) -> APIError:
        return RouteNotFound()  # whatever its method

    def error_body(self, error: APIError, trace: list[str]) -> dict[str, Any]:
        super().error_body(error, [])  # sets the reason phrase
        request = self.request
        return render_for_both(error, self.request_id, request.method or "", request.uri or "")


def _answering(
    method: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    record = record_of(method)

    @functools.wraps(method)
    async def answering(self: RestHandler, *path: str) -> None:
        if record.look_up:
            await self.authenticate(record.look_up)
        data = await method(self, *path, *record.arguments(self))
        if not self._finished:
            self.respond(data)

    return answering
