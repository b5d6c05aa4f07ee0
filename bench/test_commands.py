"""Every command of `bench`, with tiny numbers, on the MongoDB of the tests.

The pictures need pygal, which only the environment of bench has. `.bench/venv/bin/python -m
unittest bench.test_commands` draws them too.
"""

from __future__ import annotations

import gc
import io
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from unittest import TestCase, skipUnless
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
    limit,
    load,
    machine,
    measured,
    offload,
    overload,
    replica_set,
    servers,
    turns,
)
from bench.__main__ import MEASUREMENTS, main
from indico.engine.tests.environment import UNMEASURED
from indico.engine.tests.server_test import mongodb_uri

DATABASE = "test_bench"
RUNNING = replica_set.running
MODULES = (batches, growth, held, limit, measured, overload, turns)


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


class CommandTest(TestCase):
    integration = True
    seconds = 5
    command: ClassVar[str]

    def setUp(self) -> None:
        # No coverage is measured of bench, and its servers start in half the time without.
        self.enterContext(patch.dict(os.environ, UNMEASURED, clear=True))
        self.addCleanup(gc.enable)
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        files = resource.RLIMIT_NOFILE
        self.addCleanup(resource.setrlimit, files, resource.getrlimit(files))
        self.addCleanup(self.drop)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(patch.object(replica_set, "running", shared_mongodb))
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

    def run_command(self, *options: str, codes: Sequence[int] = (0,)) -> str:
        with redirect_stdout(io.StringIO()) as printed:
            self.assertIn(main([self.command, *options]), codes, printed.getvalue())
        return printed.getvalue()


class AllTest(TestCase):
    def test_each_has_a_test(self) -> None:
        tested = {kind.command for kind in CommandTest.__subclasses__()}
        self.assertEqual(tested, set(MEASUREMENTS))


class PeersTest(CommandTest):
    command = "peers"

    def test_it_runs(self) -> None:
        self.enterContext(patch.object(replica_set, "running", RUNNING))
        printed = self.run_command(
            *("--rounds", "1", "--seconds", "1", "--peers", "tornado"),
            *("--workloads", "read", "--connections", "8", "--tls", "--members", "3"),
        )
        self.assertRegex(printed, r"\| authenticated read +\| +8 \| tornado \| 1.00 \|")
        self.assertIn("replica set of 3, TLS, w: majority, journal", printed)
        self.assertTrue((self.folder / "results-3-members-tls.json").exists())


@skipUnless((servers.ROOT / ".git").exists() or "NO_SKIPS" in os.environ, "this needs a clone")
class CostTest(CommandTest):
    command = "cost"

    def test_it_runs(self) -> None:
        printed = self.run_command(
            *("HEAD", "--rounds", "1", "--workloads", "echo", "--connections", "4")
        )
        self.assertRegex(printed, r"\| echo +\| +4 \| +\d")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_unknown_commit(self) -> None:
        with redirect_stderr(io.StringIO()) as said:
            self.run_command("nosuch", codes=(1,))
        self.assertIn("invalid reference: nosuch", said.getvalue())


class HeldTest(CommandTest):
    command = "held"

    def test_it_runs(self) -> None:
        printed = self.run_command("--connections", "40", "--servers", "1", "--seconds", "0.5")
        self.assertEqual(printed.splitlines()[-1].split()[:4], ["1", "40", "40", "40"])


class BatchesTest(CommandTest):
    command = "batches"

    def test_it_runs(self) -> None:
        few: dict[str, Any] = {
            "DELAYS": (0, 1),
            "IN_FLIGHT": (0, 2),
            "CALLERS": (1, 4),
            "NOTES": 10,
        }
        with patch.multiple(batches, **few):
            printed = self.run_command("--seconds", "0.02")
        self.assertIn("1 ms  in flight 2  insert", printed)


class OffloadTest(CommandTest):
    command = "offload"

    def test_it_runs(self) -> None:
        with patch.multiple(offload, CALLS=2, WARM_UP_PINGS=1, START_SECONDS=0):
            printed = self.run_command(
                *("--pings", "10", "--rate", "200", "--characters", "1000"),
                *("--mongodb-uri", mongodb_uri(), "--mongodb-database", DATABASE),
                codes=(0, 1),  # the goal is none on a busy machine
            )
        self.assertIn("answered 200\n", printed)


class LimitTest(CommandTest):
    command = "limit"

    def test_it_runs(self) -> None:
        printed = self.run_command("--seconds", "0.05")
        self.assertIn("inserts, the driver's bulk_write", printed)


class GrowthTest(CommandTest):
    command = "growth"

    def test_it_runs(self) -> None:
        with patch.multiple(growth, DOCUMENTS=(), PROCESSES=(2,), FEW_DOCUMENTS=50):
            printed = self.run_command("--seconds", "1")
        self.assertRegex(printed, r"50 +2 insert")


class OverloadTest(CommandTest):
    command = "overload"

    def test_it_runs(self) -> None:
        few: dict[str, Any] = {"STEPS": (1.0,), "DELAYS": ("0.05",), "ROUNDS": 1}
        few |= {"HELD_CALLS": 3, "HELD_SECONDS": 1, "REFUSALS_PER_SECOND": 40}
        with (
            patch.object(clients.Clients.__init__, "__defaults__", ((0.05, 0.15),)),
            patch.multiple(overload, **few, _raise_file_limit=lambda: overload.SPARE_FILES + 40),
            patch.multiple(measured, SETTLE_SECONDS=0.2, CAPACITY_CONNECTIONS=4),
        ):
            printed = self.run_command("--workloads", "read", "--seconds", "0.5")
        self.assertIn("Of 3 calls that waited beside twice the capacity, 3 were answered", printed)
        self.assertTrue((self.folder / "overload.json").exists())


@skipUnless(find_spec("pygal"), "this needs the environment of bench")
class DrawTest(CommandTest):
    command = "draw"

    def test_it_runs(self) -> None:
        for name in ("results.json", "overload.json"):
            shutil.copy(chart.HERE / name, self.folder)
        with patch.object(chart, "HERE", self.folder):
            self.run_command()
        self.assertEqual(len(list(self.folder.glob("*.svg"))), 4)


@skipUnless(shutil.which("wrk") or "NO_SKIPS" in os.environ, "this needs wrk")
class WrkTest(TestCase):
    integration = True

    def test_no_server(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data.Data(1).write_requests(Path(folder))
            with self.assertRaisesRegex(ChildProcessError, "wrk: unable to connect"):
                load.run(1, data.WORKLOADS[0], 1, 1, Path(folder))
