"""The start of a server: one process that serves, or a parent with workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .. import log, offload, standard_streams
from ..broken_code import BrokenCode
from ..error import StartError
from ..program import Program
from ..settings import ServerSettings
from . import listening, signals, systemd
from .greeting import greet, say, urls_of
from .listening import Sockets

if TYPE_CHECKING:
    from ..mongo.embedded import Embedded
    from .background import Report
    from .pid_file import PIDFile


def launch(program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool) -> None:
    """Serve until a signal; with `replace` the server of the PID file is stopped first.

    Raises `StartError`, and `SecondStop` at a second signal.
    """
    if settings.has_parent:
        _launch_parent(program, settings, flags, replace)
    else:
        _launch_one(program, settings, flags)


def _launch_one(program: Program, settings: ServerSettings, flags: Sequence[str]) -> None:
    from . import autoreload, serving  # a parent needs less time and memory without them

    sockets = listening.open_sockets(settings)
    offload.configure(settings.offload_processes, settings.offload_queue, settings.offload_share)
    with embedded_mongodb(settings) as embedded:

        def ready() -> None:
            if settings.debug:  # workers are replaced at SIGHUP instead
                autoreload.start(program, flags)
            greet(program, settings, sockets, embedded_folder=embedded and embedded.folder)
            _serves(program, settings, sockets)

        try:
            serving.run(program, settings, sockets, embedded or settings.uri, ready)
        except BrokenCode as error:
            if not settings.debug:
                raise
            autoreload.wait_for_fix(program, flags, str(error))


def _launch_parent(
    program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool
) -> None:
    from . import background, pid_file  # Windows has no such processes

    # The port 0 becomes known here, and the name of the PID file may contain the port.
    sockets = None if settings.port else listening.open_sockets(settings)
    path = pid_file.path_of(settings, sockets.port if sockets else settings.port)
    with _locked(settings, path, replace) as file:
        sockets = sockets or listening.open_sockets(settings)
        kept = [*sockets.all(), *([file] if file else [])]
        report = background.detach(kept) if settings.daemon else None
        signals.ignore_reload()
        if file:
            file.write()
        _run_parent(program, settings, flags, sockets, file, report)


def _run_parent(
    program: Program,
    settings: ServerSettings,
    flags: Sequence[str],
    sockets: Sockets,
    pid_file: PIDFile | None,
    report: Report | None,
) -> None:
    from .parent import Parent
    from .worker_process import Starter, count

    with (
        embedded_mongodb(settings) as embedded,
        TemporaryDirectory(prefix=f"{settings.project()}-") as metrics_folder,
    ):
        starter = Starter(program, flags, sockets, embedded, metrics_folder)

        def ready() -> None:
            folder = embedded and embedded.folder
            greet(program, settings, sockets, embedded_folder=folder, workers=count(settings))
            _serves(program, settings, sockets, report)

        try:
            asyncio.run(Parent(starter, settings, pid_file).run(ready))
        finally:
            signals.ignore()


def _serves(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    report: Callable[[int], None] | None = None,
) -> None:
    """Tell everybody that waits for the server."""
    standard_streams.redirect(settings.log_target)
    if settings.log_target:  # the greeting went to the terminal
        urls = urls_of(settings, sockets)
        log.LOGGER.info("version %s listens on %s", program.version, urls)
    systemd.notify("READY=1")
    if report:
        report(0)


@contextmanager
def _locked(settings: ServerSettings, path: Path | None, replace: bool) -> Iterator[PIDFile | None]:
    """Yield the locked PID file, None without a `path`.

    Raises `StartError` if another server holds the lock.
    """
    from . import control, pid_file

    if path is None:
        yield None
        return
    running = pid_file.running(path)
    if running and replace:
        say(f"{settings.service_name}: process {running.pid} drains ...")
        control.end(running, path, settings.drain_seconds + control.STOP_SECONDS)
    file = pid_file.PIDFile(path)
    if not file.lock():
        running = pid_file.running(path)
        holder = f"process {running.pid}" if running else "another server"
        raise StartError(
            f"pid_file: {holder} runs and holds {path}. "
            "End it with --stop, or start with --replace."
        )
    try:
        yield file
    finally:
        file.remove()


@contextmanager
def embedded_mongodb(settings: ServerSettings) -> Iterator[Embedded | None]:
    """Yield the running embedded MongoDB, None if `mongodb_uri` names another."""
    if settings.mongodb_uri is not None:
        yield None
        return
    from ..mongo.embedded import Embedded  # a parent without it needs no driver

    embedded = Embedded(settings.data_dir, settings.mongod_binary, say)
    try:
        embedded.start()
        yield embedded
    finally:
        embedded.stop()
