"""`ServerProcess`: a server in a process of its own, as a person starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil

from .environment import CHOSEN, DRIVER, FRESH_METRICS, HTTP_SERVER, LANE, measured
from .sample.server import PROGRAM
from .server_test import memory

DOCTOR = PROGRAM.server.replace(".server", ".doctor")
ENGINE = __name__.removesuffix(".tests.server_process")  # the engine's dotted name
ROOT = Path(__file__).resolve().parents[3]
# On a busy machine too, a request is in flight for as long as its test holds it.
PATIENCE = {"request_timeout_seconds": 300, "body_timeout_seconds": 300}


class RunningServer(ABC):
    """A server that prints where it listens."""

    port = 0

    @abstractmethod
    def printed(self) -> str:
        """Return all that it has printed."""

    @abstractmethod
    def has_ended(self) -> bool: ...

    @abstractmethod
    def signal(self, name: signal.Signals) -> None: ...

    def wait_until_it_listens(self) -> Self:
        def listens() -> bool:
            assert not self.has_ended(), self.printed()
            return "settings  " in self.printed()

        until(listens)
        url = self.printed().split("listens on ")[1].split()[0]
        self.port = int(url.rsplit(":")[-1])
        return self

    def call(self, path: str, body: Any = None, token: str = "", timeout: float = 60) -> Any:
        return call(self.port, path, body, token, timeout)


class ServerProcess(RunningServer):
    """`python -m` the sample's server with these flags, on a free port.

    Its output goes to a file, so that it never waits for a reader.
    """

    server = PROGRAM.server
    run: Sequence[str] = ("-m",)

    def __init__(self, *flags: str, root: Path = ROOT, before: Sequence[str] = ()) -> None:
        self.output = tempfile.NamedTemporaryFile("w+", prefix="server-")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*before, sys.executable, *self.run, self.server, "--port", "0", *flags],
            cwd=root,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
        self.output.close()

    def printed(self) -> str:
        return Path(self.output.name).read_text()

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, name: signal.Signals) -> None:
        self.process.send_signal(name)

    def wait(self, seconds: float = 60) -> int:
        """Return the exit code, once it has ended."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()


def call(
    port: int, path: str, body: Any = None, token: str = "", timeout: float = 60
) -> tuple[int, Any]:
    """Return status and data; a path that ends with a z is asked by GET."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        method="GET" if path.endswith("z") else "POST",
        data=None if path.endswith("z") else json.dumps(body or {}).encode(),
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, json.load(response)["data"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["data"]


class ProcessTest(unittest.TestCase):
    """A folder for the data of an embedded MongoDB, which the test leaves stopped.

    `flags` are for every server of the test. The servers of a class are `measured` if their code
    runs in no other test, because a server that measures its coverage takes twice as long.
    """

    integration = True
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE, HTTP_SERVER)
    server_class: ClassVar[type[ServerProcess]] = ServerProcess
    flags: ClassVar[tuple[str, ...]] = ()
    measured: ClassVar[bool] = False

    def setUp(self) -> None:
        if self.measured:
            self.enterContext(measured())
        folder = tempfile.TemporaryDirectory(prefix="test-", dir=memory())
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(self.end_all)
        # Under nohup the servers would inherit that SIGHUP is ignored. They inherit no handler.
        hang_up = signal.signal(signal.SIGHUP, lambda *_: None)
        self.addCleanup(signal.signal, signal.SIGHUP, hang_up)

    def mongods(self) -> list[psutil.Process]:
        """Return the `mongod` processes whose data is in the folder."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])  # empty of a zombie
            if any(str(self.folder) in part for part in process.info["cmdline"] or [])
            and "--dbpath" in process.info["cmdline"]
        ]

    def end_all(self) -> None:
        if mongods := self.mongods():
            for process in mongods:
                process.kill()
            until(lambda: not self.mongods())

    def serve(self, *flags: str) -> ServerProcess:
        """Start a server with its data in the folder, and wait until it listens."""
        return self.start(*flags).wait_until_it_listens()

    def all_flags(self, *flags: str) -> list[str]:
        """Return the flags of every server of this test, and `flags`, which beat them."""
        settings = {**CHOSEN, **FRESH_METRICS, **PATIENCE}
        chosen = [_flag(name.replace("_", "-"), value) for name, value in settings.items()]
        return ["--port", "0", *chosen, "--data-dir", str(self.folder), *self.flags, *flags]

    def start(self, *flags: str) -> ServerProcess:
        """Start a server with its data in the folder."""
        server = self.server_class(*self.all_flags(*flags))
        self.addCleanup(server.__exit__)
        return server


def _flag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"


def children(pid: int, word: str) -> list[psutil.Process]:
    """Return the children of process `pid` that live and have `word` in their command line."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):  # also of a zombie
            if word in child.cmdline():
                found.append(child)
    return found


def until(condition: Callable[[], Any], seconds: float = 120) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
