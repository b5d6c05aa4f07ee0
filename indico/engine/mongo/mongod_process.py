"""The process of a `mongod`: its start, its port and its end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pymongo.errors import PyMongoError

from ..error import StartError
from .mongod_binary import environment

STOP_SECONDS = 30
MAX_LOG_BYTES = 10 << 20
_BAD_CPU_TYPE = 86  # errno of macOS: EBADARCH
_ADDRESS_IN_USE = 48  # exit codes of mongod
_FOLDER_IN_USE = 100
_OPTIONS = (
    *("--bind_ip", "127.0.0.1", "--oplogSize", "128", "--wiredTigerCacheSizeGB", "0.5"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"),
    *(["--nounixsocket"] if os.name == "posix" else []),
)


class Launcher:
    """A data folder and a log file, with which a `mongod` is started."""

    def __init__(self, data: Path, log: Path) -> None:
        self._data = data
        self._log = log

    @contextmanager
    def launched(
        self, binary: Path, port: int, deadline: float, *options: str
    ) -> Iterator[subprocess.Popen[bytes] | None]:
        """Yield a child that listens; None if another `mongod` has the folder or the port.

        An error in the block ends the child. Raises `StartError` if the child does not listen
        by `deadline`, a time of the monotonic clock.
        """
        with environment() as variables:
            child = self._start(binary, port, options, variables)
            try:
                yield child if self._wait_until_it_listens(child, port, deadline) else None
            except BaseException as error:
                child.kill()
                # A signal that interrupts `poll` leaves the lock of `Popen` taken, so its own
                # `wait` would never return.
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(child.pid).wait()
                if isinstance(error, PyMongoError | OSError):
                    raise self.failure(f"failed ({error})") from error
                raise

    def failure(self, what: str) -> StartError:
        return StartError(
            f"The embedded MongoDB {what}. Its log is {self._log}; or set mongodb_uri to a "
            "MongoDB of your own."
        )

    def _start(
        self, binary: Path, port: int, options: tuple[str, ...], variables: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        arguments = [str(binary), "--dbpath", str(self._data), "--port", str(port)]
        known = psutil.Process().children()
        try:
            full = self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES
            with open(self._log, "wb" if full else "ab", opener=_open_privately) as log:
                # A Ctrl-C in the terminal must reach the server alone. The server drains its
                # requests first, and needs the database for that. So `mongod` has its own session.
                return subprocess.Popen(
                    [*arguments, *_OPTIONS, *options],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=variables,
                    start_new_session=os.name == "posix",
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        except OSError as error:
            rosetta = "; the mongod of the wheel needs softwareupdate --install-rosetta"
            why = f"{error.strerror}{rosetta if error.errno == _BAD_CPU_TYPE else ''}"
            raise self.failure(f"can't be run ({why})") from None
        except BaseException:  # a signal, which may have interrupted `Popen` after its fork
            for child in psutil.Process().children():
                if child not in known:
                    child.kill()
                    child.wait()
            raise

    def _wait_until_it_listens(
        self, child: subprocess.Popen[bytes], port: int, deadline: float
    ) -> bool:
        while child.poll() is None and not (listens(port) and has_port(child.pid, port)):
            if time.monotonic() > deadline:
                raise self.failure("does not listen")
            time.sleep(0.02)
        if child.returncode in (None, _ADDRESS_IN_USE, _FOLDER_IN_USE):
            return child.returncode is None
        raise self.failure(f"ended with code {child.returncode}")


def _open_privately(path: str, flags: int) -> int:
    """Open a file that no other user may read: the log of `mongod` has names of users."""
    descriptor = os.open(path, flags, 0o600)
    if os.name == "posix":  # pragma: no branch - Windows
        os.fchmod(descriptor, 0o600)  # an older version has made it for all
    return descriptor


def end(process: psutil.Process) -> None:
    """Wait until `process` has ended; kill it after `STOP_SECONDS`."""
    with suppress(psutil.NoSuchProcess):
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def alive(process: psutil.Process) -> bool:
    """Return whether `process` runs; a zombie does not, except while its threads are ending.

    A thread that is ending may still hold the port. The zombie of a child is reaped here.
    """
    with suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.is_running()
        try:
            process.wait(0)
        except psutil.TimeoutExpired:
            return process.ppid() == os.getpid()
    return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0


def has_port(pid: int, port: int) -> bool:
    """Return whether the process, or a child of that process, listens on the port."""
    with suppress(psutil.Error):  # a process that has ended, or is a zombie, has no port
        process = psutil.Process(pid)
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for each in (process, *process.children(recursive=True))
            for connection in each.net_connections("tcp4")
        )
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
