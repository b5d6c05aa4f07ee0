"""What `--status`, `--stop` and `--reload` do to the server of a PID file."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from ..error import StartError
from .pid_file import running

RELOAD_SECONDS = 90
STOP_SECONDS = 10  # beyond `drain_seconds`, for what comes after the drain


def status(path: Path, say: Callable[[str], None]) -> int:
    """0 if it runs, 1 if a crash left the file, else 3: as the LSB has it of `status`."""
    if process := running(path):
        say(f"process {process.pid} runs")
        return 0
    say(f"not running{', but it left ' + str(path) if path.exists() else ''}")
    return 1 if path.exists() else 3


def stop(path: Path, seconds: float, say: Callable[[str], None]) -> int:
    """Waits until it has ended; 0 if so or if none ran, 1 if it takes longer than `seconds`."""
    process = running(path)
    if process is None:
        say("not running")
        return 0
    if not end(process, path, seconds):
        say(f"process {process.pid} still drains after {seconds:g} s; a second --stop ends it")
        return 1
    say(f"process {process.pid} has ended")
    return 0


def reload(path: Path, say: Callable[[str], None]) -> int:
    """Waits for the new workers; 0 if they serve, 1 if not, 7 (the LSB's) if no server runs."""
    process = running(path)
    if process is None:
        say("not running")
        return 7
    before = path.stat().st_mtime_ns
    _send(process, signal.SIGHUP)
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline and running(path) == process:
        with suppress(FileNotFoundError):
            after = path.stat().st_mtime_ns
            if after > before:
                say(f"process {process.pid} has new workers")
                return 0
            if after < before:
                break
        time.sleep(0.05)
    say(f"process {process.pid} could not get new workers: its log says why")
    return 1


def end(process: psutil.Process, path: Path, seconds: float) -> bool:
    """Asks the server to drain, and waits until it has ended."""
    _send(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while running(path) == process or _alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _send(process: psutil.Process, name: signal.Signals) -> None:
    """Raises `StartError` if it is not ours to do."""
    try:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(name)
    except psutil.AccessDenied:
        raise StartError(
            f"pid_file: process {process.pid} is another user's: ask as that user."
        ) from None


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
