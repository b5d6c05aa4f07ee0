"""Tornado's application, with what holds for every request: limits, the log, the drain."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, Protocol

from tornado import web
from tornado.httputil import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerRequest,
)

from .. import log
from ..error import Overloaded
from ..settings import ServerSettings
from ..telemetry import metrics, tracing
from .body import LimitedBody
from .forwarded import Forwarded
from .health import HealthRoute, ReadyRoute
from .metrics_handler import MetricsRoute
from .overload import ALWAYS_ACCEPTED, Refusal, Refused, answer, plain
from .rest_handler import NotFoundHandler
from .route_names import RouteNames, action_name

MAX_LOGGED_PATH = 500
MAX_TARGETS = 1000


class Bounded(Protocol):
    """A handler whose time to begin its answer is limited."""

    def time_out(self) -> None: ...


def operating_routes(settings: ServerSettings) -> list[Any]:
    """Return /healthz, /readyz, and /metrics unless that has a port of its own."""
    return [HealthRoute, ReadyRoute, *([MetricsRoute] if settings.metrics_port is None else [])]


def metrics_app(settings: ServerSettings) -> Application:
    """Return what is answered on `metrics_port`."""
    return Application([MetricsRoute, HealthRoute, ReadyRoute], settings)


class Application(web.Application):
    """What is in flight is counted.

    `draining` is true from the moment on at which this process takes no new connection; `stopping`
    too, unless another process of the same server has taken its place.
    """

    def __init__(self, routes: list[Any], config: ServerSettings, **settings: Any) -> None:
        super().__init__(
            routes,
            config=config,
            log_function=log_request,
            **{"default_handler_class": NotFoundHandler, **settings},
        )
        self.draining = self.stopping = False
        self._max_body_bytes = config.max_body_bytes
        # Where each host and path led: matching them is a tenth of a small request's work.
        self._targets: dict[tuple[str, str], tuple[Any, Any, Any, Any]] = {}
        self._in_flight: set[HTTPServerRequest] = set()
        # Those of them that have come to their handler; a body may be long on its way.
        self._taken_on: set[HTTPServerRequest] = set()
        # Until when those may take that are bounded; who is so longest comes first.
        self._bounded: dict[Bounded, float] = {}
        self._bound_timer: asyncio.TimerHandle | None = None  # one for all takes less time
        self._max_in_flight = config.max_in_flight
        self._timeout_seconds = config.request_timeout_seconds
        self._refusals: list[Refused] = []  # of this turn of the loop
        self._forwarded = Forwarded(config.trusted_proxies) if config.trusted_proxies else None
        self._idle = asyncio.Event()
        self._names = RouteNames(self.wildcard_router.rules)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def route(self, handler: web.RequestHandler) -> str | None:
        return self._names.route(handler)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        if len(self._taken_on) < self._max_in_flight:
            return super().start_request(server_conn, request_conn)
        accept = partial(super().start_request, server_conn, request_conn)
        return Refusal(request_conn, accept, self._refused)

    def refuse(self, data: bytes) -> bytes | None:
        """The answer to `data` as it was sent, if it is one request that is one too many.

        None leaves it to `start_request`: a shortcut for the HTTP server, to be asked first.
        """
        if len(self._taken_on) < self._max_in_flight or (request := plain(data)) is None:
            return None
        self._refused(request)
        return answer(request)

    def _refused(self, request: Refused) -> None:
        self._refusals.append(request)
        if len(self._refusals) == 1:
            asyncio.get_running_loop().call_soon(self._log_refusals)

    def _log_refusals(self) -> None:
        """Those of a turn of the loop together: to do the same many times over takes less time."""
        metrics.REFUSED.inc(len(self._refusals))
        for method, uri, request_id in self._refusals:
            path = uri.partition("?")[0][:MAX_LOGGED_PATH]
            log.info(
                f"{method} {path} {Overloaded.status} overloaded id={request_id}",
                {
                    "method": method,
                    "path": path,
                    "status": Overloaded.status,
                    "request_id": request_id,
                },
            )
        self._refusals.clear()

    def take_on(self, request: HTTPServerRequest) -> bool:
        """False if it is one too many."""
        if len(self._taken_on) < self._max_in_flight or request.path in ALWAYS_ACCEPTED:
            self._taken_on.add(request)
            return True
        metrics.REFUSED.inc()
        return False

    def bound(self, handler: Bounded) -> float:
        """Calls `handler.time_out()` after `request_timeout_seconds`, at the time it returns."""
        loop = asyncio.get_running_loop()
        end = self._bounded[handler] = loop.time() + self._timeout_seconds
        if self._bound_timer is None:
            self._bound_timer = loop.call_at(end, self._end_overdue, loop)
        return end

    def unbound(self, handler: Bounded) -> None:
        self._bounded.pop(handler, None)

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        self._bound_timer = None
        while self._bounded:
            handler, end = next(iter(self._bounded.items()))
            if end > loop.time():
                self._bound_timer = loop.call_at(end, self._end_overdue, loop)
                return
            del self._bounded[handler]
            handler.time_out()

    def find_handler(  # type: ignore[override]
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> HTTPMessageDelegate:
        self._in_flight.add(request)
        if self._forwarded:
            self._forwarded.apply(request)
        where = (request.host_name, request.path)
        target = self._targets.get(where)
        if target is None:
            handler = super().find_handler(request, **kwargs)
            if len(self._targets) == MAX_TARGETS:
                self._targets.clear()
            found = (handler.handler_class, handler.handler_kwargs)
            self._targets[where] = (*found, handler.path_args, handler.path_kwargs)
        else:
            handler = self.get_handler_delegate(request, *target)
        return LimitedBody(handler, request, self._max_body_bytes, self.take_on, self.leave)

    def log_request(self, handler: web.RequestHandler) -> None:
        """Of every handler, once it has finished."""
        super().log_request(handler)
        metrics.count_request(
            self._names.resource(handler),
            action_name(handler),
            handler.get_status(),
            handler.request.request_time(),
        )
        span = getattr(handler, "span", None)
        if span is not None:
            tracing.answered(span, handler.get_status())
        if not getattr(handler, "leaves_when_sent", False):
            self.leave(handler.request)

    def leave(self, request: HTTPServerRequest) -> None:
        """`request` has its whole answer, or nobody waits for it any more."""
        self._in_flight.discard(request)
        self._taken_on.discard(request)
        if not self._in_flight:
            self._idle.set()

    async def drained(self, seconds: float) -> int:
        """Waits until no request is in flight, at most so long; how many still are."""
        deadline = time.monotonic() + seconds
        while self._in_flight and time.monotonic() < deadline:
            self._idle.clear()
            idle = asyncio.ensure_future(self._idle.wait())
            await asyncio.wait([idle], timeout=deadline - time.monotonic())
            idle.cancel()
        return len(self._in_flight)


def log_request(handler: web.RequestHandler) -> None:
    """One line: what was asked, the answer's status, how long it took, and for whom."""
    request = handler.request
    fields = {
        "method": request.method,
        "path": request.path[:MAX_LOGGED_PATH],
        "status": handler.get_status(),
        "milliseconds": round(request.request_time() * 1000, 1),
        "remote_ip": request.remote_ip,
        "request_id": getattr(handler, "request_id", "-"),
        "user_id": str(getattr(handler, "user_id", "-")),
    }
    log.info(
        f"{request.method} {fields['path']} {fields['status']} {fields['milliseconds']} ms"
        f" id={fields['request_id']} user={fields['user_id']} from={request.remote_ip}",
        fields,
    )
