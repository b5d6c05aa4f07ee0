"""The pool: processes, the threads that talk to them, and the calls that wait in turns.

Each call has a thread and a process to itself. So a process that ends fails no other call, and the
pool belongs to no event loop. The first call starts the first process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, cast

from ..error import DeadlineExceeded, Overloaded, RateLimited, ServerError, Unavailable
from .fair_queue import FairQueue

Answer = tuple[bytes, str]

DEFAULT_SHARE = 16


class Pool:
    """Pool of at most `processes` (0: one for each core), for which at most `queue` calls wait.

    At most `share` calls of one caller wait or run. A caller of None has no such limit.
    """

    def __init__(self, processes: int, queue: int, share: int = DEFAULT_SHARE) -> None:
        self._processes = processes or cores()
        self._places = self._processes + queue
        self._share = share
        self._calls: set[_Call] = set()
        self._queue = FairQueue[_Call]()
        self._idle: list[_Process] = []
        self._threads = self._new_threads()

    async def run(self, request: bytes, deadline_seconds: float, caller: Hashable = None) -> Any:
        """Return the result of the function, or raise its exception."""
        if len(self._calls) >= self._places:
            raise Overloaded("Too much is being worked on right now: try again later.")
        if caller is not None and self._count(caller) >= self._share:
            raise RateLimited("Too many of your calls are being worked on: wait for their answers.")
        call = _Call(request, caller)
        outcome = asyncio.wrap_future(call.outcome)
        self._calls.add(call)
        self._queue.put(caller, call)
        self._threads.submit(self._run_next)
        try:
            await asyncio.wait([outcome], timeout=deadline_seconds)
            if not outcome.done():
                raise DeadlineExceeded
            result, error = outcome.result()
        finally:
            self._calls.discard(call)
            self._queue.remove(caller, call)
            outcome.cancel()
            call.abandon()
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        for call in list(self._calls):
            call.outcome.cancel()
            call.abandon()
        self._threads.shutdown(cancel_futures=True)
        for process in self._idle:
            process.dismiss()
        for process in self._idle:
            process.end()
        self._idle.clear()
        self._threads = self._new_threads()

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._processes, "offload")

    def _count(self, caller: Hashable) -> int:
        return sum(call.caller == caller for call in self._calls)

    def _run_next(self) -> None:
        """Run in a thread: once for each call, but not for the call that it was submitted with."""
        call = self._queue.next()
        if call is None or not call.outcome.set_running_or_notify_cancel():
            return  # its caller is gone
        try:
            outcome = self._run(call)
        except BaseException as error:
            call.outcome.set_exception(error)
        else:
            call.outcome.set_result(outcome)

    def _run(self, call: _Call) -> tuple[Any, Exception | None]:
        """Return the exception, because a future can't raise StopIteration."""
        process = self._idle_process() or _Process()
        try:
            answer, trace = call.run(process)
        finally:
            if process.alive():
                self._idle.append(process)
            else:
                process.end()
        outcome = pickle.loads(answer)
        if not trace:
            return outcome, None
        outcome.add_note(f"In a process of the pool:\n\n{trace}")
        return None, outcome

    def _idle_process(self) -> _Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.alive():
                return process
            process.end()
        return None


class _Call:
    """A request, and the process that works on it, if any."""

    def __init__(self, request: bytes, caller: Hashable = None) -> None:
        self.caller = caller
        self.outcome: Future[tuple[Any, Exception | None]] = Future()
        self._request: bytes | None = request
        self._process: _Process | None = None
        self._lock = threading.Lock()

    def run(self, process: _Process) -> Answer:
        with self._lock:
            if self._request is None:
                raise Unavailable("The server is stopping.")
            self._process, request = process, self._request
        try:
            return process.ask(request)
        finally:
            with self._lock:
                self._process = None

    def abandon(self) -> None:
        """Keep the call from starting, or kill the process that works on it."""
        with self._lock:
            self._request = None
            if self._process is not None:
                self._process.kill()


class _Process:
    """A process that answers one request at a time."""

    def __init__(self) -> None:
        self._killed = False
        self._popen = _start()
        self._requests = cast("BinaryIO", self._popen.stdin)
        self._answers = cast("BinaryIO", self._popen.stdout)

    def alive(self) -> bool:
        return not self._killed and self._popen.poll() is None

    def ask(self, request: bytes) -> Answer:
        try:
            pickle.dump(request, self._requests)
            self._requests.flush()
            answer: Answer = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            code = self._popen.wait()
            raise ServerError(f"The process at work on this ended, with code {code}.") from None
        return answer

    def kill(self) -> None:
        self._killed = True
        self._popen.kill()

    def dismiss(self) -> None:
        """Close the pipe of requests, so that an idle process ends."""
        with contextlib.suppress(OSError):  # a dead process has not read all
            self._requests.close()

    def end(self) -> None:
        self.dismiss()
        self._popen.wait()
        self._answers.close()


def _start() -> subprocess.Popen[bytes]:
    """Start a process. Raises `Unavailable` if the system has no descriptor or memory left."""
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            process_group=0,  # so that a Ctrl-C in the terminal reaches the server alone
        )
    except OSError as error:
        raise Unavailable from error


def cores() -> int:
    """Return the number of cores that this process may use, where the platform tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - macOS, Windows
