"""The command that starts a server, and `--stop` and the like."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import log, offload
from .. import settings as config
from ..error import StartError
from ..mongo.embedded import Embedded
from ..program import Program
from ..settings import ServerSettings, SettingsError
from . import listening, serving, signals, systemd
from .listening import Sockets

if TYPE_CHECKING:
    from .pid_file import PIDFile

_STOP_SECONDS = 10  # beyond `drain_seconds`, for what comes after the drain


def main(program: Program, argv: Sequence[str]) -> int:
    """Run the server until a signal ends it, and return the exit code of the process."""
    log.open_streams()
    commands = _commands()
    command, flags = commands.parse_known_args(argv)
    try:
        settings = config.load(program.settings_class(), flags, commands, program=program.command)
        log.configure(settings.log_format, settings.log_level, settings.service_name)
        if command.action:
            return _act(command.action, settings)
        signals.leave()
        _run(program, settings, flags, command.replace)
    except SettingsError as error:
        log.complain(str(error))
        return 2
    except StartError as error:
        log.complain(str(error))
        return 1
    except signals.Ended:
        return 1
    return 0


def _commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = parser.add_mutually_exclusive_group()
    for name, does in (
        ("stop", "let the server of --pid-file drain, and wait until it has ended"),
        ("reload", "give it workers with new code and settings, and wait until they serve"),
        ("status", "say whether it runs: exit code 0 if so, 1 if a crash left the file, else 3"),
    ):
        group.add_argument(f"--{name}", dest="action", action="store_const", const=name, help=does)
    group.add_argument(
        "--replace", action="store_true", help="stop the server of --pid-file, then start"
    )
    return parser


def _act(action: str, settings: ServerSettings) -> int:
    """What `--stop` and the like do; their exit code."""
    from . import pid_file  # Windows has no such locks

    path = _pid_path(settings, settings.port)
    if path is None:
        raise StartError(f"--{action} needs --pid-file, the file of the server that it is for.")

    def say(text: str) -> None:
        _say(f"{settings.service_name}: {text}")

    if action == "status":
        return pid_file.status(path, say)
    if action == "reload":
        return pid_file.reload(path, say)
    return pid_file.stop(path, settings.drain_seconds + _STOP_SECONDS, say)


def _run(program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool) -> None:
    if settings.has_parent:
        _run_parent(program, settings, flags, replace)
        return
    sockets = listening.open_sockets(settings)
    offload.configure(settings.offload_processes, settings.offload_queue)
    with _mongodb(settings) as mongodb:

        def ready() -> None:
            _greet(program, settings, sockets, mongodb, 0)
            log.redirect(settings.log_target)
            systemd.notify("READY=1")

        serving.run(program, settings, sockets, mongodb or settings.uri, ready)


def _run_parent(
    program: Program, settings: ServerSettings, flags: Sequence[str], replace: bool
) -> None:
    from . import background, parent  # Windows has no such processes

    # The name of the PID file may tell a port that is known only now.
    sockets = None if settings.port else listening.open_sockets(settings)
    path = _pid_path(settings, sockets.port if sockets else settings.port)
    with _pid_file(settings, path, replace) as pid_file:
        sockets = sockets or listening.open_sockets(settings)
        kept = [*sockets.all(), *([pid_file] if pid_file else [])]
        report = background.detach(kept) if settings.daemon else None
        signals.ignore_reload()
        if pid_file:
            pid_file.write()
        with (
            _mongodb(settings) as embedded,
            TemporaryDirectory(prefix=f"{settings.project()}-") as figures,
        ):
            kept_by = parent.Parent(program, settings, flags, sockets, embedded, pid_file, figures)

            def ready() -> None:
                _greet(program, settings, sockets, embedded, parent.count(settings))
                log.redirect(settings.log_target)
                systemd.notify("READY=1")
                if report:
                    report(0)

            try:
                asyncio.run(kept_by.run(ready))
            finally:
                signals.finish()


@contextmanager
def _pid_file(
    settings: ServerSettings, path: Path | None, replace: bool
) -> Iterator[PIDFile | None]:
    """Locked; there is none if `path` is None. Raises `StartError` if another server holds it."""
    from . import pid_file

    if path is None:
        yield None
        return
    running = pid_file.running(path)
    if running and replace:
        _say(f"{settings.service_name}: process {running.pid} drains ...")
        pid_file.end(running, path, settings.drain_seconds + _STOP_SECONDS)
    file = pid_file.PIDFile(path)
    if not file.lock():
        running = pid_file.running(path)
        who = f"process {running.pid}" if running else "another server"
        raise StartError(
            f"pid_file: {who} runs and holds {path}. End it with --stop, or start with --replace."
        )
    try:
        yield file
    finally:
        file.remove()


def _pid_path(settings: ServerSettings, port: int) -> Path | None:
    if settings.pid_file is None:
        return None
    return Path(str(settings.pid_file).replace("%(port)s", str(port))).absolute()


@contextmanager
def _mongodb(settings: ServerSettings) -> Iterator[Embedded | None]:
    """The embedded MongoDB, while it is needed; None if `mongodb_uri` names another."""
    if settings.mongodb_uri is not None:
        yield None
        return
    embedded = Embedded(settings.data_dir, settings.mongod_binary, _say)
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
    mongodb = f"embedded, data in {embedded.folder}" if embedded else _hosts(settings)
    with_workers = f", {workers} worker{'s' if workers > 1 else ''}" if workers else ""
    _say(f"{settings.service_name} listens on {url} (process {os.getpid()}{with_workers})")
    _say(f"  MongoDB      {mongodb}, database {settings.mongodb_database}")
    _say(f"  environment  {settings.environment}")
    _say(f"  settings     README.md, or {program.command} --help")


def _hosts(settings: ServerSettings) -> str:
    """Where `mongodb_uri` leads to, without the password that it may hold."""
    return urlsplit(settings.uri).netloc.rpartition("@")[2]


def _say(line: str) -> None:
    print(line, flush=True)
