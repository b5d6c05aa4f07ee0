"""One process that serves: from its settings to its end."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
from collections.abc import Callable
from functools import partial

from .. import files, offload
from ..error import StartError
from ..jobs.worker import JobWorker
from ..mongo.connection import disconnect
from ..mongo.embedded import Embedded
from ..mongo.supervision import supervise
from ..program import Program
from ..settings import ServerSettings
from ..telemetry import metrics, sampling, tracing
from . import OBJECTS_PER_COLLECTION, listening, signals
from .database import connect_to
from .http_servers import HTTPServers
from .listening import Sockets
from .signals import Stop


def run(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    origin: Embedded | str,
    ready: Callable[[], None],
    parent: int | None = None,
) -> None:
    """Serve until a signal; `ready` is called once the process serves.

    `origin` is MongoDB, or the URI of one. `parent` is a descriptor that ends with the parent, and
    its end stops the process too. Raises `StartError`, and `SecondStop` at a second signal.
    """
    files.raise_limit()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(program, settings, sockets, origin, ready, parent))
    finally:
        signals.ignore()
        offload.stop()


async def _serve(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    origin: Embedded | str,
    ready: Callable[[], None],
    parent: int | None,
) -> None:
    stop = _handle_signals(settings, parent)
    certificate = listening.tls(settings)
    metrics.identify(program.version)
    _start_tracing(program, settings)
    # The app is made first: its import declares the collections whose indexes are made next.
    servers = HTTPServers(program, settings, certificate)
    connect_anew = partial(connect_to, program, settings, origin)
    if not await stop.unless_asked(connect_anew()):
        return
    background = [asyncio.create_task(sampling.watch(servers.in_flight))]
    if isinstance(origin, Embedded):
        background.append(asyncio.create_task(supervise(origin, disconnect, connect_anew)))
    jobs = JobWorker(settings.job_concurrency, settings.job_lease_seconds)
    jobs.start()
    servers.listen(sockets)
    ready()
    _settle()
    await stop.asked.wait()
    await asyncio.gather(servers.stop(stop), jobs.drain(settings.drain_seconds))
    for task in background:
        task.cancel()
    await asyncio.to_thread(tracing.stop)
    await disconnect()


def _handle_signals(settings: ServerSettings, parent: int | None) -> Stop:
    stop = Stop(signals.STOP)
    if parent is not None:
        signals.handle(signal.SIGHUP, stop.retire)
        signals.at_end(parent, stop.asked.set)
    signals.reopen_log(settings)
    return stop


def _start_tracing(program: Program, settings: ServerSettings) -> None:
    """Start tracing in the process that serves, because its thread survives no fork."""
    if settings.tracing:
        try:
            tracing.start(settings.service_name, program.version)
        except ImportError:
            raise StartError(
                "tracing: OpenTelemetry is not installed. Run pip install .[otel], or leave "
                "tracing off."
            ) from None


def _settle() -> None:
    """Exempt the present objects from collection, because looking at them takes 20 ms each time.

    A request in flight has about 60 objects that a collection looks at. At Python's threshold of
    700, a thousand requests in flight would be looked at several times each: a quarter of all work.
    No collection runs first: it would free some 1,000 objects, and delay the start by 50 ms.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:  # pragma: no cover - Windows
        return None
    import uvloop

    return uvloop.new_event_loop
