"""`offload` with real processes, which hold, crash, exceed deadlines and lose their caller."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import IsolatedAsyncioTestCase, TestCase

import psutil

from ... import offload
from ...error import (
    Conflict,
    DeadlineExceeded,
    MissingField,
    Overloaded,
    RateLimited,
    ServerError,
    Unavailable,
)
from ...offload import CALLER
from ...offload.child import NICENESS
from ...offload.pool import Pool, _Call, cores
from ...offload.thread import Threads
from ..async_test import AsyncTest
from ..descriptors import no_descriptors
from ..environment import measured
from ..server_process import ENGINE, ROOT, until
from . import work

CHILD = [sys.executable, "-m", f"{ENGINE}.offload.child"]


def gone(pid: int) -> bool:
    """Return whether the process has ended. Its parent may not have reaped the zombie yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def eventually(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until `condition` holds, without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)


class Marker:
    """A file in which `work.hold` writes the id of its process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def written(self) -> bool:
        return self.path.exists() and self.path.read_text().endswith("\n")

    def pid(self) -> int:
        return int(self.path.read_text())


class FolderTest(TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class OffloadTest(AsyncTest, FolderTest):
    """A pool with `processes` and `queue`, which ends with the last test of the class."""

    integration = True
    processes = 1
    queue = 3
    share = 100
    measured = False

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        if cls.measured:
            cls.enterClassContext(measured())
        offload.configure(cls.processes, cls.queue, cls.share)
        cls.addClassCleanup(offload.configure, 0, offload.DEFAULT_QUEUE)

    def marker(self) -> Marker:
        return Marker(self.folder / str(len(list(self.folder.iterdir()))))

    def begin(self, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(call)

    async def hold(self) -> tuple[asyncio.Task[Any], Marker]:
        """Return a call that is at work until its marker is deleted."""
        marker = self.marker()
        call = self.begin(work.hold(marker.path))
        await eventually(marker.written)
        return call, marker


class CallTest(OffloadTest):
    async def test_valid(self) -> None:
        self.assertEqual(await work.join("a", "b", by=", "), "a, b")
        self.assertEqual(await work.join(), "")
        self.assertNotEqual(await work.pid(), os.getpid())
        self.assertEqual(work.pid.__wrapped__(), os.getpid())
        self.assertEqual(work.pid.__doc__, "Return the id of the process at work.")

    async def test_a_process_is_used_again(self) -> None:
        first = await work.pid()
        self.assertEqual({await work.pid() for _ in range(5)}, {first})

    async def test_large_argument_and_result(self) -> None:
        text = "\U0001f511" * 1_000_000
        self.assertEqual(await work.join(text), text)

    async def test_surroundings(self) -> None:
        with socket.create_server(("127.0.0.1", 0)):
            seen = await work.surroundings()
        self.assertFalse([name for name in seen["files"] if name.startswith("socket")])
        self.assertEqual(seen["input"], "")
        self.assertEqual(seen["nice"], min(os.nice(0) + NICENESS, 19))  # the most that Linux has
        self.assertNotEqual(seen["group"], os.getpgid(0))
        self.assertEqual(await work.join("a"), "a")

    async def test_a_signal_to_all_of_a_service_ends_no_call(self) -> None:
        call, marker = await self.hold()
        os.kill(marker.pid(), signal.SIGTERM)
        marker.path.unlink()
        self.assertEqual(await call, "held")

    def test_loops_in_turn(self) -> None:
        """A pool belongs to no event loop, and outlives a call whose loop has ended."""
        marker = self.marker()

        async def leave_in_the_middle() -> int:
            pid = await work.pid()
            self.begin(work.hold(marker.path))
            await eventually(marker.written)
            return pid

        first = asyncio.run(leave_in_the_middle())
        self.assertEqual(marker.pid(), first)
        second = asyncio.run(work.pid())
        self.assertNotEqual(first, second)
        self.assertEqual(asyncio.run(work.pid()), second)


class TwoProcessesTest(OffloadTest):
    processes = 2

    async def test_two_at_once(self) -> None:
        calls = [await self.hold(), await self.hold()]
        self.assertEqual(len({marker.pid() for _, marker in calls}), 2)
        for call, marker in calls:
            marker.path.unlink()
            self.assertEqual(await call, "held")

    async def test_a_crash_fails_only_its_own_call(self) -> None:
        call, marker = await self.hold()
        for how, code in (("exit", 3), ("kill", -9), ("segfault", -11), ("leave", 4)):
            crash, waiting = self.begin(work.crash(how)), self.begin(work.join("a"))
            with self.assertRaisesRegex(ServerError, f"ended, with code {code}\\."):
                await crash
            self.assertEqual(await waiting, "a")
        marker.path.unlink()
        self.assertEqual(await call, "held")

    async def test_a_crash_of_an_idle_process_fails_none(self) -> None:
        pid = await work.pid()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: gone(pid))
        self.assertNotEqual(await work.pid(), pid)
        self.assertFalse(psutil.pid_exists(pid))


class DeadlineTest(OffloadTest):
    async def test_of_a_call_at_work(self) -> None:
        pid = await work.pid()
        marker = self.marker()
        with self.assertRaises(DeadlineExceeded):
            await work.hold_too_long(marker.path)
        self.assertEqual(marker.pid(), pid)
        self.assertNotEqual(await work.pid(), pid)
        self.assertTrue(gone(pid))

    async def test_of_a_call_that_waits(self) -> None:
        call, marker = await self.hold()
        waiting = self.marker()
        with self.assertRaises(DeadlineExceeded):
            await work.hold_too_long(waiting.path)
        marker.path.unlink()
        self.assertEqual(await call, "held")
        self.assertEqual(await work.join("a"), "a")
        self.assertFalse(waiting.path.exists())


class QueueTest(OffloadTest):
    queue = 1

    async def test_full(self) -> None:
        call, marker = await self.hold()
        waiting = self.begin(work.join("a"))
        await asyncio.sleep(0)
        with self.assertRaises(Unavailable) as raised:
            await work.join("b")
        self.assertEqual(raised.exception.headers, {"Retry-After": "1"})
        marker.path.unlink()
        self.assertEqual([await call, await waiting, await work.join("c")], ["held", "a", "c"])

    async def test_a_caller_that_leaves_makes_room(self) -> None:
        call, marker = await self.hold()
        unwanted = self.marker()
        for _ in range(5):
            waiting = self.begin(work.hold(unwanted.path))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        waiting = self.begin(work.join("a"))
        marker.path.unlink()
        self.assertEqual([await call, await waiting], ["held", "a"])
        self.assertFalse(unwanted.path.exists())


class ShareTest(OffloadTest):
    """Callers, of whom each has two calls at most, in a pool of one process."""

    queue = 5
    share = 2

    async def by(self, caller: str | None, text: str) -> asyncio.Task[str]:
        """Return a call of `caller` that waits or runs."""
        CALLER.set(caller)  # of this task, whose context the call inherits
        call = self.begin(work.join(text))
        await asyncio.sleep(0)
        return call

    async def test_too_many(self) -> None:
        call, marker = await self.hold()
        waiting = [await self.by("ada", "a") for _ in range(2)]
        with self.assertRaises(RateLimited) as raised:
            await (await self.by("ada", "b"))
        self.assertEqual(raised.exception.headers, {"Retry-After": "1"})
        waiting += [await self.by("bob", "a"), *[await self.by(None, "a") for _ in range(2)]]
        with self.assertRaises(Unavailable):
            await (await self.by("eve", "a"))
        marker.path.unlink()
        self.assertEqual(await asyncio.gather(call, *waiting), ["held", *["a"] * 5])
        self.assertEqual(await (await self.by("ada", "b")), "b")

    async def test_in_turns(self) -> None:
        call, marker = await self.hold()
        ended: list[str] = []
        for caller in ("ada", "ada", "bob", "bob", None):
            waiting = await self.by(caller, str(caller))
            waiting.add_done_callback(lambda done: ended.append(done.result()))
        marker.path.unlink()
        await call
        await eventually(lambda: len(ended) == 5)
        self.assertEqual(ended, ["ada", "bob", "None", "ada", "bob"])

    async def test_who_leaves_gives_a_place_back(self) -> None:
        call, marker = await self.hold()
        for _ in range(5):
            waiting = [await self.by("ada", "a") for _ in range(2)]
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
        waiting = [await self.by("ada", "a")]
        marker.path.unlink()
        self.assertEqual([await call, *await asyncio.gather(*waiting)], ["held", "a"])


class DescriptorTest(OffloadTest):
    async def test_no_descriptor_is_left_for_a_process(self) -> None:
        with no_descriptors(), self.assertRaises(Unavailable) as raised:
            await work.join("a")
        self.assertEqual(raised.exception.headers, {"Retry-After": "1"})
        self.assertEqual(await work.join("a"), "a")


class LeaveTest(OffloadTest):
    async def test_caller_of_a_call_at_work(self) -> None:
        call, marker = await self.hold()
        call.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await call
        await eventually(lambda: gone(marker.pid()))
        self.assertEqual(await work.join("a"), "a")

    def test_caller_of_a_call_whose_process_is_starting(self) -> None:
        call = _Call(b"")
        call.abandon()
        with self.assertRaises(Unavailable):
            call.run(None)  # type: ignore[arg-type]

    async def test_stop(self) -> None:
        call, marker = await self.hold()
        waiting = self.begin(work.join("a"))
        await asyncio.sleep(0)
        offload.stop()
        self.assertTrue(gone(marker.pid()))
        with self.assertRaises(ServerError):
            await call
        with self.assertRaises(asyncio.CancelledError):
            await waiting
        pid = await work.pid()
        offload.stop()
        self.assertFalse(psutil.pid_exists(pid))
        self.assertEqual(await work.join("a"), "a")


class ErrorTest(OffloadTest):
    measured = True

    async def failure(self, kind: str) -> Exception:
        with self.assertRaises(Exception) as raised:
            await work.fail(kind)
        self.assertEqual(await work.join("a"), "a")
        return raised.exception

    async def test_our_own_arrive_as_they_are(self) -> None:
        conflict = await self.failure("conflict")
        assert isinstance(conflict, Conflict)
        self.assertEqual(conflict.message, "Not now.")
        self.assertEqual(conflict.details, [{"path": "a", "reason": "b", "message": "c"}])
        missing = await self.failure("missing field")
        self.assertIsInstance(missing, MissingField)
        self.assertEqual(str(missing), str(MissingField("a.b")))

    async def test_others_too_with_their_traceback(self) -> None:
        error = await self.failure("zero")
        self.assertIsInstance(error, ZeroDivisionError)
        self.assertIn('raise ZeroDivisionError("of no number")', error.__notes__[0])

    async def test_one_that_can_not_be_read_back(self) -> None:
        error = await self.failure("of two")
        self.assertIsInstance(error, ServerError)
        self.assertEqual(str(error), "OfTwo: one and two")
        self.assertIn('raise OfTwo("one", "two")', error.__notes__[0])

    async def test_one_that_no_coroutine_can_raise(self) -> None:
        error = await self.failure("stop iteration")
        self.assertIsInstance(error, RuntimeError)
        self.assertIsInstance(error.__cause__, StopIteration)

    async def test_an_argument_that_can_not_be_sent(self) -> None:
        for argument in (lambda: "a", threading.Lock()):
            with self.assertRaisesRegex(TypeError, "^join: an argument can't go to another pro"):
                await work.join(argument)  # type: ignore[arg-type]
        self.assertEqual(await work.join("a"), "a")

    async def test_a_result_that_can_not_be_sent(self) -> None:
        with self.assertRaisesRegex(AttributeError, "Can't (get|pickle) local object"):
            await work.give("function")
        with self.assertRaisesRegex(OSError, "not here"):
            await work.give("not here", os.getpid())
        self.assertEqual(await work.join("a"), "a")


class DecoratorTest(TestCase):
    def test_what_can_not_be_offloaded(self) -> None:
        decorate = offload.offload(deadline_seconds=1)

        async def coroutine() -> None: ...

        def nested() -> None: ...

        def program() -> None: ...

        program.__module__, program.__qualname__ = "__main__", "program"
        for function, why in (
            (coroutine, "write it as plain def"),
            (nested, "at the top of a module"),
            (DecoratorTest.setUp, "at the top of a module"),
            (program, "not the program itself"),
        ):
            with self.assertRaisesRegex(TypeError, why):
                decorate(function)

    def test_one_process_for_each_core(self) -> None:
        self.assertEqual(Pool(0, 0)._processes, cores())
        self.assertGreater(cores(), 0)


class ChildTest(FolderTest):
    """The pool's process alone, and with a server that ends at the wrong moment."""

    integration = True

    def test_the_server_goes_while_it_sends(self) -> None:
        whole = pickle.dumps(b"request")
        for request in (b"", whole[:-3]):
            done = subprocess.run(CHILD, cwd=ROOT, input=request, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_the_server_goes_before_the_function_begins(self) -> None:
        request = pickle.dumps(((work.__name__, "join"), ("a",), {}))
        with measured():
            done = subprocess.run(
                CHILD, cwd=ROOT, input=pickle.dumps(request), capture_output=True, check=False
            )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_the_server_is_killed(self) -> None:
        """The process ends at once, even while no other thread gets a turn."""
        marker = Marker(self.folder / "marker")
        code = (
            f"import asyncio, pathlib, sys; from {ENGINE}.tests.offload import work; "
            "asyncio.run(work.never_let_go(pathlib.Path(sys.argv[1])))"
        )
        with subprocess.Popen([sys.executable, "-c", code, str(marker.path)], cwd=ROOT) as server:
            until(marker.written)
            server.kill()
        until(lambda: gone(marker.pid()))


class ThreadsTest(IsolatedAsyncioTestCase):
    async def test_limit(self) -> None:
        threads = Threads(1, limit=1, busy="Too many are waiting.")
        gate = threading.Event()
        first = asyncio.create_task(threads.run(gate.wait))
        await asyncio.sleep(0)
        with self.assertRaisesRegex(Overloaded, "Too many are waiting"):
            await threads.run(gate.wait)
        gate.set()
        self.assertTrue(await first)
        self.assertEqual(await threads.run(lambda: 5), 5)
