"""Every command of `bench`, with tiny numbers, on the MongoDB of the tests.

The pictures need pygal, which only the environment of bench has. `.bench/venv/bin/python -m
unittest bench.test_commands` draws them too.
"""

from __future__ import annotations

import io
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any
from unittest import TestCase, skipUnless
from unittest.mock import Mock, patch

from bench import (
    batches,
    chart,
    cited,
    clients,
    data,
    growth,
    load,
    lost_updates,
    machine,
    measured,
    offload,
    overload,
    password_races,
    release,
    replica_set,
    slow_clients,
    soak,
    soak_users,
)
from bench.__main__ import COMMANDS, main
from bench.command_test import DATABASE, RUNNING, CommandTest
from bench.measurements import MEASUREMENTS
from indico.engine.jobs import Job
from indico.engine.tests.server_test import mongodb_uri


class AllTest(TestCase):
    def test_each_has_a_test(self) -> None:
        tests = {name for kind in CommandTest.__subclasses__() for name in vars(kind)}
        self.assertEqual({f"test_{command}" for command in COMMANDS} - tests, set())

    def test_help(self) -> None:
        """Each measurement is named, and so are the options of the default one."""
        for arguments in (["--help"], ["-h"]):
            with redirect_stdout(io.StringIO()) as printed, self.assertRaises(SystemExit) as ended:
                main(arguments)
            self.assertEqual(ended.exception.code, 0)
            for name in COMMANDS:
                self.assertRegex(printed.getvalue(), rf"\n  {name} +[a-z1]\S* \S+")
            self.assertIn("\n  --workloads", printed.getvalue())

    def test_unknown_name(self) -> None:
        with redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main(["nosuch"]), 2)
        self.assertIn("bench: there is no nosuch; known are peers, ", said.getvalue())

    def test_each_measurement_with_figures_is_one_of_them(self) -> None:
        measured = {command[0] for command in release.COMMANDS.values()}
        cites = {each.measurement for each in cited.figures()} - {cited.BY_HAND}
        self.assertEqual(cites - measured, set())


class PeersTest(CommandTest):
    seconds = 15

    def test_peers(self) -> None:
        self.enterContext(patch.object(replica_set, "running", RUNNING))
        printed = self.run_command(
            "peers",
            *("--rounds", "1", "--seconds", "1", "--peers", "tornado"),
            *("--workloads", "read", "--connections", "8", "--tls", "--members", "2"),
        )
        self.assertRegex(printed, r"\| authenticated read +\| +8 \| tornado \| 1.00 \|")
        self.assertIn("replica set of 2, TLS, w: majority, journal", printed)
        self.assertTrue((self.folder / "results-2-members-tls.json").exists())


class OverloadTest(CommandTest):
    seconds = 15

    def test_overload(self) -> None:
        few: dict[str, Any] = {"STEPS": (1.0,), "DELAYS": ("0.05",), "ROUNDS": 1}
        few |= {"HELD_CALLS": 3, "HELD_SECONDS": 1, "REFUSALS_PER_SECOND": 40}
        with (
            patch.object(clients.Clients.__init__, "__defaults__", ((0.05, 0.15), False)),
            patch.multiple(overload, **few, _raise_file_limit=lambda: overload.SPARE_FILES + 40),
            patch.multiple(measured, SETTLE_SECONDS=0.1, CAPACITY_CONNECTIONS=4),
        ):
            printed = self.run_command("overload", "--workloads", "read", "--seconds", "0.3")
        self.assertIn("Of 3 calls that waited beside twice the capacity, 3 were answered", printed)
        self.assertTrue((self.folder / "overload.json").exists())


class OwnServersTest(CommandTest):
    """The commands whose servers are all of this commit."""

    seconds = 15

    def test_held(self) -> None:
        printed = self.run_command(
            "held", "--connections", "40", "--servers", "1", "--seconds", "2"
        )
        self.assertEqual(printed.splitlines()[-1].split()[:4], ["1", "40", "40", "40"])

    def test_live(self) -> None:
        printed = self.run_command("live", "--sockets", "30", "--changes", "2")
        self.assertEqual(printed.splitlines()[-1].split()[:2], ["2", "30"])

    def test_limit(self) -> None:
        printed = self.run_command("limit", "--seconds", "0.05")
        self.assertIn("inserts, the driver's bulk_write", printed)

    def test_growth(self) -> None:
        with patch.multiple(growth, DOCUMENTS=(), PROCESSES=(2,), FEW_DOCUMENTS=50):
            printed = self.run_command("growth", "--seconds", "1")
        self.assertRegex(printed, r"50 +2 insert")

    def test_growth_with_errors(self) -> None:
        """A line with errors, of any of the servers, makes the run fail."""
        failed = iter([load.Load(9, 1, 1, 1, {"status": 3}), load.Load(9, 1, 1, 1, {"status": 4})])
        run = growth.Run(Mock(**{"processor_seconds.return_value": 1.0}), self.folder, (0, 0), 1)
        server = Mock(**{"processor_seconds.return_value": 1.0})
        with patch.object(load, "run", lambda *_: next(failed)):
            line = growth._load(run, [server, server], data.WORKLOADS[0], 1)
        self.assertTrue(line.endswith("  ERRORS {'status': 7}"), line)
        self.assertEqual(run.errors, {"status": 7})

    def test_the_exit_code_of_growth(self) -> None:
        def fail(run: growth.Run, *_: int) -> None:
            run.errors["status"] += 1

        with patch.object(growth, "_measure", fail):
            self.run_command("growth", codes=(1,))

    def test_soak(self) -> None:
        with (
            patch.object(soak, "SAMPLE_SECONDS", 0.05),
            patch.object(lost_updates, "UPDATES", 24),
            patch.multiple(password_races, ACCOUNTS=1, _LOGINS=2),
            patch.multiple(slow_clients, OF_EACH_KIND=1, LONGEST_SECONDS=0.1),
            patch.multiple(soak_users, STALL_SECONDS=(0, 0.01), RETRY_SECONDS=(0, 0.01)),
        ):
            printed = self.run_command(
                "soak",
                *("--minutes", "0.005", "--users", "10"),
                codes=(0, 1),  # memory grows at first, and slow clients have their time
            )
        self.assertIn("each compared with the known one: 0 wrong\n", printed)
        self.assertIn("racing updates: 24 of 24 are stored", printed)
        self.assertRegex(printed, r"password races: 1 accounts, \d+ tokens .*; 0 rules broken")
        self.assertRegex(printed, r"slow clients: \d+ of 10 were disconnected")

    def test_release(self) -> None:
        commands = {
            "held": ("held", "--connections", "40", "--servers", "1", "--seconds", "2"),
            "limit": ("limit", "--seconds", "0.05"),
            "peers": ("peers",),
        }
        fails: dict[str, Any] = {
            "limit": lambda _: 3,
            "peers": Mock(side_effect=RuntimeError("no")),
        }
        with (
            patch.object(release, "PAGES", self.folder / "printed"),
            patch.object(release, "COMMANDS", commands),
            patch.dict(MEASUREMENTS, fails),
            redirect_stderr(io.StringIO()) as said,
        ):
            printed = self.run_command("release", codes=(1,))
        self.assertRegex(printed, r"\| docs/performance.md:\d+ +\| held ")
        self.assertIn("python3 run.py bench limit --seconds 0.05 ended with code 3", printed)
        self.assertIn("python3 run.py bench peers failed: no", printed)
        self.assertIn("RuntimeError: no", said.getvalue())
        page = (self.folder / "printed/held.md").read_text()
        self.assertIn("# `python3 run.py bench held --connections 40", page)
        self.assertRegex(page, r"\n +1 +40 +40 +40 [^|]*```\n\n\| run ")

    def test_some_of_the_release(self) -> None:
        with redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
            self.run_command("release", "--only", "held,nosuch")
        self.assertIn("there is no nosuch; known are peers,", said.getvalue())


class OtherCommandsTest(CommandTest):
    seconds = 15

    def test_cost(self) -> None:
        self.require_commit()
        printed = self.run_command(
            *("cost", "HEAD", "--rounds", "1", "--workloads", "echo", "--connections", "4")
        )
        self.assertRegex(printed, r"\| echo +\| +4 \| +\d")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_cost_of_an_unknown_commit(self) -> None:
        self.require_commit()
        with redirect_stderr(io.StringIO()) as said:
            self.run_command("cost", "nosuch", codes=(1,))
        self.assertIn("invalid reference: nosuch", said.getvalue())

    def require_commit(self) -> None:
        if machine.commit() == "unknown" and "NO_SKIPS" not in os.environ:
            self.skipTest("this needs a clone, and git")

    def test_batches(self) -> None:
        few: dict[str, Any] = {
            "DELAYS": (0, 1),
            "IN_FLIGHT": (0, 2),
            "CALLERS": (1, 4),
            "NOTES": 10,
        }
        with patch.multiple(batches, **few):
            printed = self.run_command("batches", "--seconds", "0.02")
        self.assertIn("1 ms  in flight 2  insert", printed)

    def test_offload(self) -> None:
        with patch.multiple(offload, CALLS=2, WARM_UP_PINGS=1, START_SECONDS=0):
            printed = self.run_command(
                "offload",
                *("--pings", "10", "--rate", "200", "--characters", "1000"),
                *("--mongodb-uri", mongodb_uri(), "--mongodb-database", DATABASE),
                *("--offload-processes", "1"),
                codes=(0, 1),  # the goal is none on a busy machine
            )
        self.assertIn("answered 200\n", printed)

    def test_jobs(self) -> None:
        self.enterContext(patch.dict(Job.declared))
        printed = self.run_command("jobs", "--jobs", "50", "--processes", "1", "--calls", "3")
        self.assertRegex(printed, r"\n +1 +50 .* MB\na job that is queued alone begins after ")

    @skipUnless(find_spec("pygal"), "this needs the environment of bench")
    def test_draw(self) -> None:
        for name in ("results.json", "overload.json"):
            shutil.copy(chart.HERE / name, self.folder)
        with patch.object(chart, "HERE", self.folder):
            self.run_command("draw")
        self.assertEqual(len(list(self.folder.glob("*.svg"))), 4)
