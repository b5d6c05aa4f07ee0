"""The measured servers; each is a process of its own on one core."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.machine import pinned

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 30
IDLE_SECONDS = 10
TICK_SECONDS = 0.01  # Linux counts processor time in these units


@dataclass(frozen=True)
class Peer:
    """A server: its module, its packages, its flags, and the folder to import the module from."""

    name: str
    module: str
    packages: tuple[str, ...]
    flags: tuple[str, ...] = ()
    folder: Path = ROOT


_UVICORN = ("uvicorn", "uvloop", "httptools", "pymongo")
OURS = Peer("indico", "bench.ours", ("tornado", "uvloop", "pydantic", "orjson", "motor", "pymongo"))
PEERS = (
    Peer("fastapi", "bench.peers.fastapi", ("fastapi", "starlette", "pydantic", *_UVICORN)),
    Peer("starlette", "bench.peers.starlette", ("starlette", "pydantic", "orjson", *_UVICORN)),
    Peer("aiohttp", "bench.peers.aiohttp", ("aiohttp", "uvloop", "pydantic", "orjson", "pymongo")),
    Peer("sanic", "bench.peers.sanic", ("sanic", "sanic-ext", "uvloop", "httptools", "pymongo")),
    Peer("litestar", "bench.peers.litestar", ("litestar", "msgspec", *_UVICORN)),
    Peer("blacksheep", "bench.peers.blacksheep", ("blacksheep", "pydantic", "orjson", *_UVICORN)),
    Peer("tornado", "bench.peers.tornado", ("tornado", "motor", "pymongo")),
)


class Server:
    """A running peer that listens on `port`."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self._process = process
        self.port = port
        self.pid: int = process.pid

    def processor_seconds(self) -> float:
        """Return the user and system time of the process and its children."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(time.user + time.system for time in times)

    def memory_bytes(self) -> int:
        """Return the resident memory of the process and its children."""
        return sum(process.memory_info().rss for process in self._processes())

    def open_files(self) -> int:
        """Return the number of open files and sockets of the process and its children."""
        return sum(process.num_fds() for process in self._processes())

    def wait_until_idle(self) -> None:
        """Wait for the end of requests of earlier clients, for `IDLE_SECONDS` at most."""
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline:
            before = self.processor_seconds()
            time.sleep(0.1)
            if self.processor_seconds() - before < 1.5 * TICK_SECONDS:
                return

    def _processes(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


@contextmanager
def running(peer: Peer, uri: str, database: str, core: int, log: Path) -> Iterator[Server]:
    """Start the peer's server, and yield it once it listens; its output goes to `log`.

    Raise `ChildProcessError` if the server doesn't start.
    """
    port = _free_port()
    arguments = ["--port", str(port), "--mongodb-uri", uri, "--mongodb-database", database]
    with log.open("wb") as output, pinned(core):
        process = psutil.Popen(
            [sys.executable, "-m", peer.module, *arguments, *peer.flags],
            cwd=peer.folder,  # which Python looks for the module in first
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # a Ctrl-C reaches only bench, which stops the server
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Server(process, port)
    finally:
        _stop(process)


def _wait_until_it_listens(process: psutil.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    raise ChildProcessError(f"The server does not listen: {last[0]}")


def _stop(process: psutil.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
