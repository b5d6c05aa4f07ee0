"""A parent in the test's own process, with small programs in place of workers.

Such a program starts in a fiftieth of a second. A file says how it behaves. Another file has
what the programs noted: that they serve, and the signals that they got.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from unittest.mock import patch

import psutil

from ...error import StartError
from ...log import LOGGER
from ...process import worker_pool, worker_process
from ...process.listening import Sockets
from ...process.parent import Parent
from ...process.signals import SecondStop
from ...process.worker import main
from ...process.worker_process import Starter, count
from ...settings import ServerSettings
from ..async_test import AsyncTest
from ..descriptors import no_descriptors
from ..sample.app import Settings
from ..sample.server import PROGRAM
from ..server_process import children

DELAY = 0.05
WORKER = """
import os, signal, sys, time
channel, file = int(sys.argv[1]), sys.argv[2]
how = open(file).read()
def note(what):
    with open(file + ".notes", "a") as notes:
        print(os.getpid(), what, file=notes, flush=True)
def got(number, _):
    note(signal.Signals(number).name)
    if how != "busy" and number != signal.SIGUSR1:
        os._exit(0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, got)
if how == "die":
    sys.exit(3)
if how != "mute":
    os.write(channel, b"1")
    note("serves")
while how != "busy" or os.path.exists(file):
    time.sleep(0.01)
    if how == "beat":
        os.write(channel, b"1")
"""


class SmallStarter(Starter):
    """Starter of the small program; `flags` is its file."""

    settings: ServerSettings
    commands: Sequence[str] = ()  # programs of the next starts, which are not there

    def load_settings(self) -> ServerSettings:
        return self.settings

    def command(self) -> list[str]:
        program, *self.commands = self.commands or [sys.executable]
        return [program, "-S", "-c", WORKER]


class PoolTest(AsyncTest):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="test-")
        self.addCleanup(folder.cleanup)
        self.how = Path(folder.name, "how")
        self.how.write_text("serve")
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        starter = SmallStarter(
            PROGRAM, [str(self.how)], Sockets([listening], []), None, folder.name
        )
        starter.settings = Settings(processes=2, drain_seconds=0.05)
        self.starter = starter
        for name, seconds in (("FIRST_DELAY_SECONDS", DELAY), ("CLOSE_SECONDS", 20)):
            patched = patch.object(worker_pool, name, seconds)
            patched.start()
            self.addCleanup(patched.stop)
        # On a busy machine too, a worker that a test kills has died early.
        self.enterContext(patch.object(worker_process, "EARLY_SECONDS", 3600))
        self.logs: list[str] = []
        logs = logging.Handler()
        logs.emit = lambda record: self.logs.append(record.getMessage())  # type: ignore[method-assign]
        LOGGER.addHandler(logs)
        self.addCleanup(LOGGER.removeHandler, logs)
        level, propagate = LOGGER.level, LOGGER.propagate
        LOGGER.setLevel("INFO")
        LOGGER.propagate = False
        self.addCleanup(setattr, LOGGER, "propagate", propagate)
        self.addCleanup(LOGGER.setLevel, level)

    async def begin(self, processes: int = 2) -> list[psutil.Process]:
        """Run a parent, and return its workers once they serve."""
        self.starter.settings = Settings(processes=processes, drain_seconds=0.05)
        ready = asyncio.Event()
        parent = Parent(self.starter, self.starter.settings, None)
        self.running = asyncio.create_task(parent.run(ready.set))
        self.addAsyncCleanup(self.end)
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([waiting, self.running], return_when=asyncio.FIRST_COMPLETED)
        if self.running.done():
            waiting.cancel()
            self.running.result()
        workers = self.workers()
        self.assertEqual(len(workers), processes)
        return workers

    async def end(self) -> None:
        """End the parent and its workers, however busy."""
        if not self.running.done():
            self.running.cancel()
            await asyncio.wait([self.running])

    async def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(self.running, 60)
        self.assertEqual(self.workers(), [])

    def workers(self) -> list[psutil.Process]:
        return children(os.getpid(), str(self.how))

    def logged(self, text: str) -> int:
        return sum(text in line for line in self.logs)

    def notes(self, worker: psutil.Process) -> list[str]:
        """Return `serves` and the names of signals, as the worker noted them."""
        file = Path(f"{self.how}.notes")
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1] for line in lines if line.startswith(f"{worker.pid} ")]

    def signals(self, worker: psutil.Process) -> list[str]:
        return [note for note in self.notes(worker) if note != "serves"]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class DeathTest(PoolTest):
    async def test_another_one_takes_its_place_later_each_time(self) -> None:
        first, other = await self.begin()
        first.kill()
        await until(lambda: self.logged(f"worker {first.pid} ended by signal 9; another one"))
        self.assertEqual(self.logged(f"starts in {DELAY:g} s"), 1)
        await until(lambda: len(self.workers()) == 2)
        (second,) = set(self.workers()) - {other}
        await until(lambda: self.notes(second) == ["serves"])
        self.how.write_text("die")  # and so one that never serves
        second.kill()
        await until(lambda: self.logged("by signal 9; another one") == 2)
        self.assertEqual(self.logged(f"starts in {2 * DELAY:g} s"), 1)
        await until(lambda: self.logged("with code 3; another one"))
        self.assertEqual(self.logged(f"starts in {4 * DELAY:g} s"), 1)
        self.how.write_text("serve")
        await until(lambda: len(self.workers()) == 2)
        self.assertTrue(other.is_running())
        await self.stop()

    async def test_one_that_was_of_use_is_replaced_at_once(self) -> None:
        worker, _ = await self.begin()
        with patch.object(worker_process, "EARLY_SECONDS", 0):
            worker.kill()
            await until(lambda: self.logged("another one starts in 0 s"))
        await until(lambda: len(self.workers()) == 2)
        await self.stop()

    async def test_there_are_no_files_for_another_one(self) -> None:
        worker, other = await self.begin()
        text = "can't be started: Too many open files. The next try is in"
        with no_descriptors():
            os.kill(worker.pid, signal.SIGKILL)  # psutil would open a file
            await until(lambda: self.logged(text))
        self.assertIn(other, self.workers())
        await until(lambda: len(self.workers()) == 2)
        await self.stop()

    async def test_nobody_replaces_it_during_a_stop(self) -> None:
        self.how.write_text("busy")
        worker, other = await self.begin()
        worker.kill()
        await until(lambda: self.logged("another one starts in"))
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: self.signals(other))
        await asyncio.sleep(4 * DELAY)
        self.assertEqual(self.workers(), [other])
        self.how.unlink()
        await asyncio.wait_for(self.running, 60)

    async def test_the_metrics_of_one_can_not_be_added(self) -> None:
        worker, _ = await self.begin()
        error = OSError("a full disk")
        with patch.object(worker_pool, "forget_process", side_effect=error):
            worker.kill()
            await until(lambda: self.logged(f"the metrics of worker {worker.pid} stay: a full"))
        await self.stop()


class SilenceTest(PoolTest):
    async def test_one_that_is_stopped_is_replaced(self) -> None:
        self.how.write_text("beat")
        with patch.object(worker_process, "SILENT_SECONDS", 1):
            stopped, other = await self.begin()
            stopped.suspend()
            text = f"worker {stopped.pid} has said nothing for 1 s and is killed"
            await until(lambda: self.logged(text))
            await until(lambda: self.logged(f"worker {stopped.pid} ended by signal 9; another"))
            await until(lambda: len(self.workers()) == 2)
            self.assertIn(other, self.workers())  # it has gone on speaking
            await self.stop()


class StartTest(PoolTest):
    async def test_they_can_not_start(self) -> None:
        self.how.write_text("die")
        with self.assertRaisesRegex(StartError, "The workers can't start"):
            await self.begin()
        self.assertEqual(self.workers(), [])

    async def test_they_end_before_they_get_their_sockets(self) -> None:
        self.how.write_text("die")
        with (
            patch.object(socket, "send_fds", side_effect=BrokenPipeError),
            self.assertRaisesRegex(StartError, "The workers can't start"),
        ):
            await self.begin()

    def test_one_a_core(self) -> None:
        self.assertEqual(count(Settings(processes=0)), len(os.sched_getaffinity(0)))
        self.assertEqual(count(Settings()), 1)

    def test_the_parent_is_gone_before_it_has_begun(self) -> None:
        ours, theirs = socket.socketpair()
        ours.close()
        with theirs:
            self.assertEqual(main(theirs, []), 1)

    def test_its_settings_are_wrong(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, redirect_stderr(io.StringIO()) as shown:
            ours.send(json.dumps({"program": PROGRAM, "sockets": [0, 0]}).encode())
            self.assertEqual(main(theirs, ["--port", "http"]), 1)
        self.assertIn("port", shown.getvalue())


class ReloadTest(PoolTest):
    async def test_the_replaced_ones_drain_until_the_next_reload(self) -> None:
        self.how.write_text("busy")
        first = await self.begin()
        for number in (1, 2):
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda number=number: self.logged("reloaded: 2 new") == number)  # type: ignore[misc]
        for worker in first:
            await until(lambda worker=worker: len(self.signals(worker)) == 2)  # type: ignore[misc]
            self.assertEqual(self.signals(worker), ["SIGHUP", "SIGTERM"])
        await self.end()
        self.assertEqual(self.workers(), [])

    async def test_there_are_no_files_for_new_ones(self) -> None:
        old = await self.begin()
        text = "not reloaded, the old workers go on: A worker can't be started"
        with no_descriptors():
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: self.logged(f"{text}: Too many open files"))
        self.assertEqual(set(self.workers()), set(old))
        # The first one can be started, and the second one can't.
        self.starter.commands = [sys.executable, "/nowhere"]
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: self.logged(f"{text}: No such file"))
        await until(lambda: set(self.workers()) == set(old))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: self.logged("reloaded: 2 new workers"))
        await until(lambda: not set(self.workers()) & set(old))
        await self.stop()

    async def test_a_signal_to_those_that_serve(self) -> None:
        old = await self.begin()
        self.how.write_text("mute")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(self.workers()) == 3)
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: [self.signals(each) for each in old] == [["SIGUSR1"]] * 2)
        (mute,) = set(self.workers()) - set(old)
        self.assertEqual(self.signals(mute), [])
        await self.stop()

    async def test_it_is_stopped_meanwhile(self) -> None:
        await self.begin()
        self.how.write_text("mute")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(self.workers()) == 3)
        await self.stop()


class StopTest(PoolTest):
    async def test_one_that_does_not_end_is_killed(self) -> None:
        self.how.write_text("busy")
        workers = await self.begin()
        with patch.object(worker_pool, "CLOSE_SECONDS", 0.1):
            await self.stop()
        for worker in workers:
            self.assertEqual(self.logged(f"worker {worker.pid} does not end and is killed"), 1)
            self.assertEqual(self.signals(worker), ["SIGTERM"])

    async def test_a_second_signal_ends_it_at_once(self) -> None:
        self.how.write_text("busy")
        worker, _ = await self.begin()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: self.signals(worker))
        os.kill(os.getpid(), signal.SIGINT)
        with self.assertRaises(SecondStop):
            await asyncio.wait_for(self.running, 60)
        self.assertEqual(self.workers(), [])
