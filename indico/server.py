"""`python -m indico.server`: settings, MongoDB, listen, drain."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
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
from indico.routes.application import Application
from indico.utils import LOGGER, log

DOCUMENTATION = "README.md, or python -m indico.server --help"
_SUPERVISE_SECONDS = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the server until a signal ends it; the exit code of the process."""
    try:
        settings = config.load(sys.argv[1:] if argv is None else argv)
    except SettingsError as error:
        _complain(str(error))
        return 2
    log.configure(settings.log_format)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _leave)
    try:
        run(settings)
    except StartError as error:
        _complain(str(error))
        return 1
    return 0


def run(settings: Settings) -> None:
    """Raises `StartError` if the port is taken or MongoDB does not come up."""
    sockets = _bind(settings)
    embedded = None
    if settings.mongodb_uri is None:
        embedded = Embedded(settings.data_dir, settings.mongod_binary, _say)
    try:
        if embedded:
            embedded.start()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, sockets, embedded))
    finally:
        if embedded:
            embedded.stop()


def make_server(app: Application, settings: Settings) -> HTTPServer:
    """Tornado's server with our limits; `Application` bounds the bodies, so that it can answer."""
    return HTTPServer(
        app,
        idle_connection_timeout=settings.idle_timeout_seconds,
        body_timeout=settings.body_timeout_seconds,
        max_body_size=sys.maxsize,
    )


async def _serve(
    settings: Settings, sockets: list[socket.socket], embedded: Embedded | None
) -> None:
    stop = _stop_event()
    await _connect(settings, embedded)
    supervisor = asyncio.create_task(_supervise(embedded)) if embedded else None
    app = make_app(settings)
    server = make_server(app, settings)
    server.add_sockets(sockets)
    _greet(settings, sockets, embedded)
    if settings.debug:
        autoreload.start()
    await stop.wait()
    await _drain(app, server, settings.drain_seconds)
    if supervisor:
        supervisor.cancel()
    await db.disconnect()


async def _drain(app: Application, server: HTTPServer, seconds: float) -> None:
    """Stops accepting, lets what is in flight finish, and closes what is left."""
    LOGGER.info("stopping")
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
    )


async def _supervise(embedded: Embedded) -> None:
    """Starts the embedded MongoDB again when it has ended, whoever ended it."""
    while True:
        await asyncio.sleep(_SUPERVISE_SECONDS)
        if not embedded.running():
            LOGGER.error("the embedded MongoDB has ended; starting it again")
            try:
                await asyncio.to_thread(embedded.start)
            except StartError as error:
                LOGGER.error("%s", error)


def _bind(settings: Settings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.host)
    except OSError as error:
        raise StartError(
            f"port: can't listen on {settings.host}:{settings.port} ({error.strerror}). Stop "
            "what uses it, or choose another with --port or INDICO_PORT."
        ) from None


def _stop_event() -> asyncio.Event:
    """Set by SIGINT and SIGTERM, from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:  # pragma: no cover - Windows
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


def _leave(signum: int, _: object) -> NoReturn:
    """A signal before there is a loop: what was started is taken down on the way out."""
    sys.exit(128 + signum)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:  # pragma: no cover - Windows
        return None
    import uvloop

    return uvloop.new_event_loop


def _greet(settings: Settings, sockets: list[socket.socket], embedded: Embedded | None) -> None:
    port = sockets[0].getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    mongodb = f"embedded, data in {embedded.folder}" if embedded else _hosts(settings)
    _say(f"indico listens on http://{host}:{port} (process {os.getpid()})")
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
