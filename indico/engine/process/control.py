"""The commands that act on the running server of a PID file: `--status`, `--stop`, `--reload`."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from ..error import StartError
from ..settings import ServerSettings
from .greeting import say
from .pid_file import path_of, running

RELOAD_SECONDS = 90
STOP_SECONDS = 10  # in addition to `drain_seconds`, for the steps after the drain
_LOOK_SECONDS = 0.02


def act(action: str, settings: ServerSettings) -> int:
    """Do what `action` (`status`, `stop` or `reload`) names, and return the exit code.

    Raises `StartError` if no PID file is set, or if the server belongs to another user.
    """
    path = path_of(settings, settings.port)
    if path is None:
        raise StartError(f"--{action} needs --pid-file, the file of the server that it is for.")

    def tell(text: str) -> None:
        say(f"{settings.service_name}: {text}")

    if action == "status":
        return status(path, tell)
    if action == "reload":
        return reload(path, tell)
    return stop(path, settings.drain_seconds + STOP_SECONDS, tell)


def status(path: Path, tell: Callable[[str], None]) -> int:
    """Return 0 if the server runs, 1 if a crash left the file, else 3: the codes of the LSB."""
    if process := running(path):
        tell(f"process {process.pid} runs{_ports(process)} and holds {path}")
        return 0
    left = path.exists()
    tell(f"not running, but it left {path}" if left else f"not running: there is no {path}")
    return 1 if left else 3


def stop(path: Path, seconds: float, tell: Callable[[str], None]) -> int:
    """Stop the server and wait; return 1 if the drain takes longer than `seconds`, else 0."""
    process = running(path)
    if process is None:
        tell("not running")
        return 0
    if not end(process, path, seconds):
        tell(f"process {process.pid} still drains after {seconds:g} s; a second --stop ends it")
        return 1
    tell(f"process {process.pid} has ended")
    return 0


def reload(path: Path, tell: Callable[[str], None]) -> int:
    """Wait for new workers; return 0 if they serve, 1 if not, 7 (of the LSB) without a server."""
    process = running(path)
    if process is None:
        tell("not running")
        return 7
    before = path.stat().st_mtime_ns
    _send(process, signal.SIGHUP)
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline and running(path) == process:
        with suppress(FileNotFoundError):
            after = path.stat().st_mtime_ns
            if after > before:
                tell(f"process {process.pid} has new workers")
                return 0
            if after < before:
                break
        time.sleep(_LOOK_SECONDS)
    tell(f"process {process.pid} could not get new workers: its log says why")
    return 1


def end(process: psutil.Process, path: Path, seconds: float) -> bool:
    """Ask the server to drain; return whether it ends within `seconds`."""
    _send(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while running(path) == process or _alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _send(process: psutil.Process, name: signal.Signals) -> None:
    """Raise `StartError` if the process belongs to another user."""
    try:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(name)
    except psutil.AccessDenied:
        raise StartError(
            f"pid_file: process {process.pid} is another user's: ask as that user."
        ) from None


def _ports(process: psutil.Process) -> str:
    """Return the ports on which the process listens, in brackets; empty if it shows none."""
    found: set[int] = set()
    with suppress(psutil.Error):
        connections = process.net_connections("tcp")
        found = {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}
    return f" (port {', '.join(map(str, sorted(found)))})" if found else ""


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
