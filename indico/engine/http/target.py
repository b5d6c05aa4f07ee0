"""The handler of a host and path, remembered for later requests, and these requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tornado.escape import to_unicode
from tornado.httputil import (
    HTTPConnection,
    HTTPFile,
    HTTPHeaders,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import RequestHandler, _HandlerDelegate

from .lifecycle import LifecycleHandler

if TYPE_CHECKING:
    from .application import Application


class Target(NamedTuple):
    """A handler class with its arguments, as a host and path lead to it.

    `streams` says whether the handler reads its body as it comes. `short` says whether the handler
    can begin without what Tornado does for templates and static files. The parts of the path are
    then text.
    """

    handler: tuple[type[RequestHandler], dict[str, Any], list[Any], dict[str, Any]]
    host_name: str
    streams: bool
    short: bool

    @classmethod
    def found(cls, delegate: _HandlerDelegate) -> Target:
        """Return where Tornado's router leads."""
        kind, streams = delegate.handler_class, delegate.stream_request_body
        settings = delegate.application.settings
        cached = settings.get("compiled_template_cache", True)
        cached = cached and settings.get("static_hash_cache", True)
        short = cached and not streams and issubclass(kind, LifecycleHandler)
        args, kwargs = delegate.path_args, delegate.path_kwargs
        if short and (decoded := _decoded(kind, args, kwargs)):
            args, kwargs = decoded
        else:
            short = False
        handler = kind, delegate.handler_kwargs, args, kwargs
        return cls(handler, delegate.request.host_name, streams, short)


def _decoded(
    kind: type[RequestHandler], args: list[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """Return the parts of a path as text; None if they are the handler's own business."""
    if kind.decode_argument is not RequestHandler.decode_argument:
        return None
    try:
        decoded = {name: to_unicode(part) for name, part in kwargs.items()}
        return [to_unicode(part) for part in args], decoded
    except UnicodeDecodeError:  # the handler answers 400
        return None


class UnparsedRequest(HTTPServerRequest):
    """A request whose body is left to its handler."""

    def _parse_body(self) -> None:
        """Parse nothing, because an action takes a body of any type for JSON, like `curl -d`'s."""


class KnownRequest(UnparsedRequest):
    """A request to a host and path that another request had before, and without a query.

    Tornado has checked them then, so nothing is left to be parsed.
    """

    query = ""
    server_connection = None
    _finish_time = None

    def __init__(
        self,
        connection: HTTPConnection,
        start_line: RequestStartLine,
        headers: HTTPHeaders,
        host: str,
        host_name: str,
    ) -> None:
        self.method, self.uri, self.version = start_line
        self.path = start_line.path
        self.headers = headers
        self.body = b""
        self.host, self.host_name = host, host_name
        self.connection = connection
        context: Any = getattr(connection, "context", None)
        self.remote_ip = context.remote_ip
        self.protocol = context.protocol
        self._start_time = time.time()

    @cached_property
    def arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]
        return {}

    @cached_property
    def query_arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]
        return {}

    @cached_property
    def body_arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]
        return {}

    @cached_property
    def files(self) -> dict[str, list[HTTPFile]]:  # type: ignore[override]
        return {}


class RoutedRequest(_HandlerDelegate):
    """A request on its way, to the handler that its head leads to."""

    application: Application
    connection: HTTPConnection
    routed = False  # until its head is known to be sane

    def __init__(self, app: Application, connection: HTTPConnection) -> None:
        self.application = app
        self.connection = connection
        self.chunks = bytearray()

    def route(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        line = cast(RequestStartLine, start_line)
        self.request, target = self.application.route(self.connection, line, headers)
        self.routed = True
        self.handler_class, self.handler_kwargs, self.path_args, self.path_kwargs = target.handler
        self.stream_request_body, self._short = target.streams, target.short

    def execute(self) -> Awaitable[None] | None:
        """Begin a handler that needs less than Tornado's do."""
        if not self._short:
            return super().execute()
        handler: Any = self.handler_class(self.application, self.request, **self.handler_kwargs)
        transforms = [transform(self.request) for transform in self.application.transforms]
        running = handler._execute_short(transforms, *self.path_args, **self.path_kwargs)
        loop = getattr(self.connection, "loop", None) or asyncio.get_running_loop()
        handler._task = loop.create_task(running)
        return None
