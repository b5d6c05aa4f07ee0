"""Tornado's application, with what holds for every request: admission, deadlines, names, log."""

from __future__ import annotations

import functools
from typing import Any, Protocol

from tornado import web
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
)

from ..files import most_requests
from ..mongo.delay import delay
from ..mongo.observation import operations_begun
from ..settings import ServerSettings
from ..telemetry import metrics
from .action import refuse_unread
from .admission import Admission
from .admission_window import AdmissionWindow
from .body import LimitedBody
from .cors import CORS, PreflightHandler, is_preflight
from .error_pages import ErrorPages, Render
from .forwarded import Forwarded
from .health import HealthRoute, ReadyRoute
from .json_handler import JSONHandler
from .metrics_handler import metrics_route
from .not_found_handler import NotFoundHandler
from .outgoing import refuse_in_transactions
from .overload import Overload
from .request_log import log_answered
from .route_names import RouteNames, action_name
from .session_cookie import cookie_keys
from .target import KnownRequest, Target, UnparsedRequest
from .timeouts import TimeoutQueue

MAX_TARGETS = 1000
MAX_TARGET_LENGTH = 200  # a client chooses host and path, so a cache of long ones takes megabytes


class HasDeadline(Protocol):
    """A handler whose time to begin its answer is limited."""

    def time_out(self) -> None: ...


def operating_routes(settings: ServerSettings) -> list[Any]:
    """Return /healthz, /readyz, and /metrics unless that has a port of its own."""
    metrics = [metrics_route(settings)] if settings.metrics_port is None else []
    return [HealthRoute, ReadyRoute, *metrics]


def metrics_app(settings: ServerSettings) -> Application:
    """Return the application of `metrics_port`."""
    return Application([metrics_route(settings), HealthRoute, ReadyRoute], settings)


class Application(web.Application):
    """The URL map and the registers that all requests share.

    `draining` is true once this process takes no new connection; `stopping` too, unless another
    process of the same server has taken its place. `checks_answers` is true where each answer is
    checked against the return annotation of its action: with `debug`, and in tests. `error_page`
    makes the pages of errors; without it, each error is JSON.
    """

    def __init__(
        self,
        routes: list[Any],
        config: ServerSettings,
        error_page: Render | None = None,
        **settings: Any,
    ) -> None:
        settings = {**_settings(config), **settings}
        super().__init__(routes, config=config, **settings)
        refuse_in_transactions()
        self.draining = self.stopping = False
        self.checks_answers = config.debug
        body_bytes = max(config.max_body_bytes_in_flight, config.max_body_bytes)
        window = AdmissionWindow(config.max_delay_seconds, delay, operations_begun)
        limit = config.max_in_flight or most_requests()
        self.admission = Admission(limit, body_bytes, window)
        self.deadlines = TimeoutQueue[HasDeadline](
            config.request_timeout_seconds, lambda handler: handler.time_out()
        )
        self.names = RouteNames(self.wildcard_router.rules)
        for rule in self.wildcard_router.rules:
            _refuse_decorators_of_foreign_classes(rule.target)
        self.cors = CORS(config.cors_origins) if config.cors_origins else None
        self.error_pages = ErrorPages(error_page, config) if error_page else None
        # While overloaded, the HTTP server asks `refuse` first, with bytes that it has not parsed.
        self._overload = Overload(
            self.admission, config.max_body_bytes, self.cors, self.error_pages
        )
        self.overloaded, self.refuse = self.admission.is_full, self._overload.refuse
        self.max_body_bytes = config.max_body_bytes
        self.behind_proxies = bool(config.trusted_proxies)
        self._forwarded = Forwarded(config.trusted_proxies) if config.trusted_proxies else None
        # The handler of a host and path, because matching takes a tenth of a small request.
        self._targets: dict[tuple[str, str], Target] = {}

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        request = LimitedBody(self, request_conn, self._overload)
        full = self.admission.is_full()
        return self._overload.discard(request_conn, request) if full else request

    def route(
        self, connection: HTTPConnection, start_line: RequestStartLine, headers: HTTPHeaders
    ) -> tuple[HTTPServerRequest, Target]:
        """Return a request by its head, and where it leads; the request is then in flight."""
        host, (path, mark, _) = headers.get("Host", ""), start_line.path.partition("?")
        target = self._targets.get((host, path))
        if target is None or mark:
            request = UnparsedRequest(connection=connection, start_line=start_line, headers=headers)
        else:
            request = KnownRequest(connection, start_line, headers, host, target.host_name)
        self.admission.enter(request)
        if self._forwarded:
            self._forwarded.apply(request)
        if self.cors is not None and is_preflight(request):
            methods = self.find_handler(request).handler_class.SUPPORTED_METHODS
            preflight = PreflightHandler, {"methods": methods}
            return request, Target.found(self.get_handler_delegate(request, *preflight))
        return request, target or self._find_target(request, (host, path))

    def _find_target(self, request: HTTPServerRequest, where: tuple[str, str]) -> Target:
        """Return where Tornado's router leads, and remember it."""
        target = Target.found(self.find_handler(request))
        leads_somewhere = target.handler[0] is not self.settings["default_handler_class"]
        if leads_somewhere and sum(map(len, where)) <= MAX_TARGET_LENGTH:
            if len(self._targets) == MAX_TARGETS:
                self._targets.clear()
            self._targets[where] = target
        return target

    def log_request(self, handler: web.RequestHandler) -> None:
        """Release, log, count and trace a request, once its handler has finished."""
        # The client may take its time for the answer, and must not keep the place of another.
        self.admission.release(handler.request)
        status, seconds = handler.get_status(), handler.request.request_time()
        log_answered(handler, status, seconds)
        metrics.count_request(self.names.resource(handler), action_name(handler), status, seconds)
        if scope := getattr(handler, "scope", None):  # handlers of Tornado's have none
            scope.answered(status)


def _settings(config: ServerSettings) -> dict[str, Any]:
    """Return Tornado's settings."""
    keys, version = cookie_keys(config)
    return {
        "default_handler_class": NotFoundHandler,
        "cookie_secret": keys,
        "key_version": version,
        "cross_origin_protection": True,
        "trusted_origins": config.trusted_origins,
    }


def _refuse_decorators_of_foreign_classes(target: Any) -> None:
    """Raise `TypeError` for a decorator in a class that is no `JSONHandler`, like a mixin."""
    for kind in target.__mro__ if isinstance(target, type) else ():
        _refuse_decorators(kind)


@functools.cache
def _refuse_decorators(kind: type) -> None:
    """Look at the few bases of all handlers once, because an application has a hundred."""
    if not issubclass(kind, JSONHandler):
        refuse_unread(kind, lambda name: False)
