"""Starting a server: one process that serves, or a parent with workers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import log, offload
from ..error import StartError
from ..mongo.embedded import Embedded
from ..program import Program
from ..settings import ServerSettings
from . import listening, serving, signals, systemd
from .listening import Sockets

if TYPE_CHECKING:
    from .pid_file import PIDFile


def launch(program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool) -> None:
    """Serve until a signal; with `replace` the server of the PID file is stopped first.

    Raises `StartError`, and `signals.Ended` at a second signal.
    """
    if settings.has_parent:
        _launch_parent(program, settings, flags, replace)
    else:
        _launch_one(program, settings)


def pid_path(settings: ServerSettings, port: int) -> Path | None:
    if settings.pid_file is None:
        return None
    return Path(str(settings.pid_file).replace("%(port)s", str(port))).absolute()


def say(line: str) -> None:
    print(line, flush=True)


def _launch_one(program: Program, settings: ServerSettings) -> None:
    sockets = listening.open_sockets(settings)
    offload.configure(settings.offload_processes, settings.offload_queue)
    with _embedded_mongodb(settings) as embedded:

        def ready() -> None:
            _greet(program, settings, sockets, embedded, 0)
            log.redirect(settings.log_target)
            systemd.notify("READY=1")

        serving.run(program, settings, sockets, embedded or settings.uri, ready)


def _launch_parent(
    program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool
) -> None:
    from . import background  # Windows has no such processes

    # The name of the PID file may tell a port that is known only now.
    sockets = None if settings.port else listening.open_sockets(settings)
    path = pid_path(settings, sockets.port if sockets else settings.port)
    with _locked(settings, path, replace) as pid_file:
        sockets = sockets or listening.open_sockets(settings)
        kept = [*sockets.all(), *([pid_file] if pid_file else [])]
        report = background.detach(kept) if settings.daemon else None
        signals.ignore_reload()
        if pid_file:
            pid_file.write()
        _run_parent(program, settings, flags, sockets, pid_file, report)


def _run_parent(
    program: Program,
    settings: ServerSettings,
    flags: Sequence[str],
    sockets: Sockets,
    pid_file: PIDFile | None,
    report: Callable[[int], None] | None,
) -> None:
    from .parent import Parent
    from .worker_pool import count

    with (
        _embedded_mongodb(settings) as embedded,
        TemporaryDirectory(prefix=f"{settings.project()}-") as metrics_folder,
    ):
        parent = Parent(program, settings, flags, sockets, embedded, pid_file, metrics_folder)

        def ready() -> None:
            _greet(program, settings, sockets, embedded, count(settings))
            log.redirect(settings.log_target)
            systemd.notify("READY=1")
            if report:
                report(0)

        try:
            asyncio.run(parent.run(ready))
        finally:
            signals.finish()


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
def _embedded_mongodb(settings: ServerSettings) -> Iterator[Embedded | None]:
    """Yield the running embedded MongoDB, None if `mongodb_uri` names another."""
    if settings.mongodb_uri is not None:
        yield None
        return
    embedded = Embedded(settings.data_dir, settings.mongod_binary, say)
    try:
        embedded.start()
        yield embedded
    finally:
        embedded.stop()


def _greet(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    embedded: Embedded | None,
    workers: int,
) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{'https' if settings.certificate else 'http'}://{host}:{sockets.port}"
    database = f"embedded, data in {embedded.folder}" if embedded else _hosts(settings)
    with_workers = f", {workers} worker{'s' if workers > 1 else ''}" if workers else ""
    say(f"{settings.service_name} listens on {url} (process {os.getpid()}{with_workers})")
    say(f"  MongoDB      {database}, database {settings.mongodb_database}")
    say(f"  environment  {settings.environment}")
    say(f"  settings     docs/settings.md, or {program.command} --help")


def _hosts(settings: ServerSettings) -> str:
    """Return the hosts in `mongodb_uri`, without the password that may stand before them."""
    return urlsplit(settings.uri).netloc.rpartition("@")[2]
