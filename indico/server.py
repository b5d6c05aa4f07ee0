"""`python -m indico.server`: settings, MongoDB, listen, drain."""

from __future__ import annotations

import asyncio
import errno
import gc
import importlib.util
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import NoReturn
from urllib.parse import urlsplit

from tornado import autoreload
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from indico import config, db
from indico.app import make_app
from indico.config import Settings, SettingsError
from indico.db.embedded import Embedded
from indico.error import StartError
from indico.http_server import FastHTTPServer
from indico.routes.application import Application
from indico.service import offload
from indico.telemetry import metrics, tracing
from indico.utils import LOGGER, log

DOCUMENTATION = "README.md, or python -m indico.server --help"
# SIGHUP is what a server gets whose terminal is closed; Windows has none.
STOP_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if os.name == "posix" else [])]
_SUPERVISE_SECONDS = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the server until a signal ends it; the exit code of the process."""
    try:
        settings = config.load(sys.argv[1:] if argv is None else argv)
    except SettingsError as error:
        _complain(str(error))
        return 2
    log.configure(settings.log_format, settings.log_level, settings.service_name)
    _leave_on_signals()
    try:
        run(settings)
    except StartError as error:
        _complain(str(error))
        return 1
    return 0


def run(settings: Settings) -> None:
    """Raises `StartError` if the port is taken or MongoDB does not come up."""
    sockets = _bind(settings)
    offload.configure(settings.offload_processes, settings.offload_queue)
    embedded = None
    if settings.mongodb_uri is None:
        embedded = Embedded(settings.data_dir, settings.mongod_binary, _say)
    try:
        if embedded:
            embedded.start()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, sockets, embedded))
    finally:
        offload.stop()
        if embedded:
            embedded.stop()


def make_server(
    app: Application, settings: Settings, ssl_options: SSLContext | None = None
) -> HTTPServer | FastHTTPServer:
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
    settings: Settings, sockets: list[socket.socket], embedded: Embedded | None
) -> None:
    stop = _stop_event()
    _start_tracing(settings)
    await _connect(settings, embedded)
    supervisor = asyncio.create_task(_supervise(settings, embedded)) if embedded else None
    app = make_app(settings)
    watch = asyncio.create_task(metrics.watch(lambda: app.in_flight))
    server = make_server(app, settings)
    server.add_sockets(sockets)
    _greet(settings, sockets, embedded)
    # What is there by now stays: a full collection need not look at it, which took 20 ms.
    gc.collect()
    gc.freeze()
    if settings.debug:
        autoreload.add_reload_hook(offload.stop)
        autoreload.add_reload_hook(_wait_until_it_compiles)
        autoreload.start()
    await stop.wait()
    await _drain(app, server, settings.drain_seconds)
    watch.cancel()
    await asyncio.to_thread(tracing.stop)
    if supervisor:
        supervisor.cancel()
    await db.disconnect()


def _start_tracing(settings: Settings) -> None:
    """In the process that serves: a thread sends the spans, which no fork would take along."""
    if settings.tracing:
        try:
            tracing.start(settings.service_name)
        except ImportError:
            raise StartError(
                "tracing: OpenTelemetry is not installed. Run pip install .[otel], or leave "
                "tracing off."
            ) from None


async def _drain(app: Application, server: HTTPServer | FastHTTPServer, seconds: float) -> None:
    """Stops accepting, lets what is in flight finish, and closes what is left."""
    LOGGER.info("stopping, once what is in flight has finished: at most %s s", seconds)
    app.draining = True
    server.stop()
    if left := await app.drained(seconds):
        LOGGER.warning("%s requests did not finish within %s s and are cut off", left, seconds)
    await server.close_all_connections()


async def _connect(settings: Settings, embedded: Embedded | None) -> None:
    await db.connect(
        embedded.uri if embedded else _uri(settings),
        settings.mongodb_database,
        settings.mongodb_driver,
        settings.mongodb_timeout_seconds,
        settings.max_batches_in_flight,
    )


async def _supervise(settings: Settings, embedded: Embedded) -> None:
    """Starts the embedded MongoDB again when it has ended, whoever ended it.

    It may be on another port then, and its data may be gone: so this connects anew, and makes
    the indexes again before anybody writes.
    """
    connected = True
    while True:
        await asyncio.sleep(_SUPERVISE_SECONDS)
        if connected and embedded.running():
            continue
        LOGGER.error("the embedded MongoDB has ended; starting it again")
        connected = False
        await db.disconnect()
        try:
            await asyncio.to_thread(embedded.start)
            await _connect(settings, embedded)
            connected = True
        except Exception as error:
            LOGGER.error("%s", error)


def _bind(settings: Settings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.host)
    except (OSError, UnicodeError) as error:
        where = f"{settings.host}:{settings.port}"
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise StartError(
                f"port: can't listen on {where} ({error.strerror}). Stop what uses it, or choose "
                "another with --port or INDICO_PORT."
            ) from None
        raise StartError(
            f"host: can't listen on {where}, which is no address of this machine. Choose another "
            "with --host or INDICO_HOST."
        ) from None


def _stop_event() -> asyncio.Event:
    """Set by each of `STOP_SIGNALS`, from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in STOP_SIGNALS:
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:  # pragma: no cover - Windows
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


def _leave_on_signals() -> None:
    for name in STOP_SIGNALS:
        signal.signal(name, _leave)


def _leave(signum: int, _: object) -> NoReturn:
    """A signal before there is a loop: what was started is taken down on the way out."""
    sys.exit(128 + signum)


def _wait_until_it_compiles() -> None:
    """Before a reload, which a syntax error in one of our modules would make the end."""
    _leave_on_signals()
    told = ""
    while error := _syntax_error():
        if error != told:
            LOGGER.error("not reloaded yet: %s", error)
        told = error
        time.sleep(0.2)


def _syntax_error() -> str:
    """The first one in the package's modules that are loaded, or nothing."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.split(".")[0] in ("__main__", "indico") and file:
            try:
                compile(Path(file).read_bytes(), file, "exec")
            except (SyntaxError, ValueError) as error:
                return str(error)
    return ""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:  # pragma: no cover - Windows
        return None
    import uvloop

    return uvloop.new_event_loop


def _greet(settings: Settings, sockets: list[socket.socket], embedded: Embedded | None) -> None:
    port = sockets[0].getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    mongodb = f"embedded, data in {embedded.folder}" if embedded else _hosts(settings)
    _say(f"{settings.service_name} listens on http://{host}:{port} (process {os.getpid()})")
    _say(f"  MongoDB      {mongodb}, database {settings.mongodb_database}")
    _say(f"  environment  {settings.environment}")
    _say(f"  settings     {DOCUMENTATION}")


def _hosts(settings: Settings) -> str:
    """Where `mongodb_uri` leads to, without the password that it may hold."""
    return urlsplit(_uri(settings)).netloc.rpartition("@")[2]


def _uri(settings: Settings) -> str:
    return settings.mongodb_uri.get_secret_value() if settings.mongodb_uri else ""


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(text: str) -> None:
    for line in text.splitlines():
        print(f"indico: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
