"""One process that serves: MongoDB, the application, the HTTP server, and the drain."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from ssl import SSLContext

from tornado.httpserver import HTTPServer

from .. import offload
from ..error import StartError
from ..http.application import Application, metrics_app
from ..http.server import FastHTTPServer
from ..log import LOGGER
from ..mongo.connection import connect, disconnect
from ..mongo.embedded import Embedded
from ..mongo.supervision import supervise
from ..program import Program
from ..settings import ServerSettings
from ..telemetry import metrics, sampling, tracing
from . import autoreload, listening, signals
from .listening import Sockets
from .signals import Stop

Server = HTTPServer | FastHTTPServer

_LOOK_SECONDS = 0.02
# A request in flight has about 60 of those that collections look at. At Python's 700 a thousand
# requests in flight would be looked at several times each, a quarter of all the work.
_OBJECTS_PER_COLLECTION = 50_000
# How long a draining server waits for the next request on each connection, after which it closes
# it: who sends at the moment at which it is closed gets no answer.
_LINGER_SECONDS = 1


def run(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    origin: Embedded | str,
    ready: Callable[[], None],
    parent: int | None = None,
) -> None:
    """Serves until a signal; `ready` is called once it does.

    `parent` is a file that ends with the parent, and so ends us. Raises `StartError`, and
    `signals.Ended` at a second signal.
    """
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(program, settings, sockets, origin, ready, parent))
    finally:
        signals.finish()
        offload.stop()


def make_server(
    app: Application, settings: ServerSettings, ssl_options: SSLContext | None = None
) -> Server:
    """The HTTP server with our limits; `Application` bounds the bodies, so that it can answer."""
    make = FastHTTPServer if settings.http_server == "fast" else HTTPServer
    return make(
        app,
        idle_connection_timeout=settings.idle_timeout_seconds,
        body_timeout=settings.body_timeout_seconds,
        max_body_size=sys.maxsize,
        ssl_options=ssl_options,
    )


async def _serve(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    origin: Embedded | str,
    ready: Callable[[], None],
    parent: int | None,
) -> None:
    stop = Stop(signals.STOP)
    if parent is not None:
        signals.handle(signal.SIGHUP, stop.retire)
        signals.at_end(parent, stop.asked.set)
    signals.reopen_log(settings)
    certificate = listening.tls(settings)
    metrics.identify(program.version)
    _start_tracing(program, settings)
    await _connect(settings, origin)
    supervisor = None
    if isinstance(origin, Embedded):
        reconnect = partial(_connect, settings, origin)
        supervisor = asyncio.create_task(supervise(origin, disconnect, reconnect))
    app = program.app(settings)
    server = make_server(app, settings, certificate)
    server.add_sockets(sockets.api)
    operating = metrics_app(settings)
    metrics_server = make_server(operating, settings)
    metrics_server.add_sockets(sockets.metrics)
    watch = asyncio.create_task(sampling.watch(lambda: app.admission.in_flight))
    ready()
    # What is there by now stays: a full collection need not look at it, which took 20 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    if settings.debug and parent is None:  # a worker is replaced at SIGHUP
        autoreload.start(program.package)
    await stop.asked.wait()
    app.stopping = operating.stopping = stop.hurry
    await stop.unless_now(_drain(app, server, settings.drain_seconds, stop))
    metrics_server.stop()
    watch.cancel()
    await asyncio.to_thread(tracing.stop)
    if supervisor:
        supervisor.cancel()
    await disconnect()


def _start_tracing(program: Program, settings: ServerSettings) -> None:
    """In the process that serves: a thread sends the spans, which no fork would take along."""
    if settings.tracing:
        try:
            tracing.start(settings.service_name, program.version)
        except ImportError:
            raise StartError(
                "tracing: OpenTelemetry is not installed. Run pip install .[otel], or leave "
                "tracing off."
            ) from None


async def _drain(app: Application, server: Server, seconds: float, stop: Stop) -> None:
    """Stops accepting, lets what is in flight finish, and closes what is left."""
    LOGGER.info("stopping, once what is in flight has finished: at most %s s", seconds)
    app.draining = True
    server.stop()
    began = time.monotonic()
    await asyncio.sleep(_LOOK_SECONDS)  # who was accepted just now has yet to be seen
    while _connections(server) and time.monotonic() < began + (
        min(seconds, _LINGER_SECONDS) if stop.hurry else seconds
    ):
        await asyncio.sleep(_LOOK_SECONDS)
    if left := await app.admission.drained(began + seconds - time.monotonic()):
        LOGGER.warning("%s requests did not finish within %s s and are cut off", left, seconds)
    await server.close_all_connections()


def _connections(server: Server) -> int:
    if isinstance(server, FastHTTPServer):
        return len(server.connections) + server.handshakes
    return len(server._connections)


async def _connect(settings: ServerSettings, origin: Embedded | str) -> None:
    await connect(
        origin.uri if isinstance(origin, Embedded) else origin,
        settings.mongodb_database,
        settings.mongodb_driver,
        settings.mongodb_timeout_seconds,
        settings.max_batches_in_flight,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:  # pragma: no cover - Windows
        return None
    import uvloop

    return uvloop.new_event_loop
