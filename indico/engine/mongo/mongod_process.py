"""The process of a `mongod`, and the port it listens on."""

from __future__ import annotations

import socket
from contextlib import suppress

import psutil

STOP_SECONDS = 30


def end(process: psutil.Process) -> None:
    """Waits until `process` has ended, by force if it takes too long."""
    with suppress(psutil.NoSuchProcess):
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.is_running()
        process.wait(0)  # a child of ours: this takes it off the table, once all of it has ended
    return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
