"""`CommandTest`: a test of commands of `bench`, with tiny numbers, on the MongoDB of the tests."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import resource
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO
from unittest import TestCase
from unittest.mock import patch

import psutil
from pymongo import MongoClient

from bench import (
    batches,
    chart,
    clients,
    data,
    growth,
    held,
    jobs,
    limit,
    live,
    load,
    machine,
    measured,
    overload,
    replica_set,
    servers,
    soak,
    turns,
)
from bench.__main__ import main
from indico.engine.tests.server_test import mongodb_uri
from indico.tests.forked_process import FORKS, ForkedProcess

DATABASE = "test_bench"
POPEN, RUNNING = psutil.Popen, replica_set.running
MODULES = (batches, growth, held, jobs, limit, live, measured, overload, soak, turns)


@contextmanager
def shared_mongodb(*_: Any) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Yield the MongoDB of the tests, in the place of one that a measurement starts."""
    with MongoClient[Any](mongodb_uri()) as client:
        pid = client.admin.command("serverStatus")["pid"]
    yield mongodb_uri(), [psutil.Process(pid)]


def little_load(
    port: int, workload: data.Workload, connections: int, seconds: float, folder: Path
) -> load.Load:
    """Send a few requests; wrk would take a second at least."""
    with closing(clients.Clients(port, clients.requests(folder / workload.name), (0, 0))) as few:
        few.open(connections)
        seen = few.ask(connections, 0.1)
        while not seen.accepted:
            seen = few.ask(connections, 0.1)
        few.rest()
    return load.Load(len(seen.accepted), 0.1, 1.0, 1.0, {})


def start_server(
    command: Sequence[str], cwd: Path, stdout: BinaryIO, **others: Any
) -> psutil.Process:
    """Start a server of this commit by a fork, because half of its start is imports."""
    if cwd != servers.ROOT:
        return POPEN(command, cwd=cwd, stdout=stdout, **others)
    _, _, module, *arguments = command
    process = ForkedProcess(module, arguments, Path(stdout.name))
    process.cpu_affinity(sorted(os.sched_getaffinity(0)))
    return process


class CommandTest(TestCase):
    integration = True
    covers = False

    def setUp(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        files = resource.RLIMIT_NOFILE
        self.addCleanup(resource.setrlimit, files, resource.getrlimit(files))
        self.addCleanup(self.drop)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(patch.object(replica_set, "running", shared_mongodb))
        self.enterContext(patch.object(psutil, "Popen", start_server))
        self.enterContext(patch.object(multiprocessing, "get_context", return_value=FORKS))
        self.enterContext(patch.object(machine, "require_wrk"))
        self.enterContext(patch.object(load, "run", little_load))
        self.enterContext(patch.object(data, "REQUESTS", 50))
        self.enterContext(patch.object(turns, "WARM_UP_SECONDS", 0.1))
        self.enterContext(patch.object(data.Data.__init__, "__defaults__", (50,)))
        for module in MODULES:
            self.enterContext(patch.object(module, "DATABASE", DATABASE))
        for module in (batches, growth, limit, overload, turns):
            self.enterContext(patch.object(module, "SCRATCH", self.folder))
        if find_spec("pygal") is None:
            self.enterContext(patch.object(chart, "draw", return_value=[]))

    def drop(self) -> None:
        with MongoClient[Any](mongodb_uri()) as client:
            for name in client.list_database_names():
                if name.startswith(DATABASE):
                    client.drop_database(name)

    def run_command(self, command: str, *options: str, codes: Sequence[int] = (0,)) -> str:
        with redirect_stdout(io.StringIO()) as printed:
            self.assertIn(main([command, *options]), codes, printed.getvalue())
        return printed.getvalue()
