"""The pool: processes, the threads that talk to them, and the calls in the queue.

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
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast

from ..error import DeadlineExceeded, ServerError, Unavailable

Answer = tuple[bytes, str]


class Pool:
    """Pool of at most `processes` (0: one for each core), for which at most `queue` calls wait."""

    def __init__(self, processes: int, queue: int) -> None:
        self._processes = processes or cores()
        self._places = self._processes + queue
        self._calls: set[_Call] = set()
        self._idle: list[_Process] = []
        self._threads = self._new_threads()

    async def run(self, request: bytes, deadline_seconds: float) -> Any:
        """Return the result of the function, or raise its exception."""
        if len(self._calls) >= self._places:
            raise Unavailable("Too much is being worked on right now: try again later.")
        call = _Call(request)
        outcome = asyncio.wrap_future(self._threads.submit(self._run, call))
        self._calls.add(call)
        try:
            await asyncio.wait([outcome], timeout=deadline_seconds)
            if not outcome.done():
                raise DeadlineExceeded
            result, error = outcome.result()
        finally:
            self._calls.discard(call)
            outcome.cancel()
            call.abandon()
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        for call in list(self._calls):
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

    def _run(self, call: _Call) -> tuple[Any, Exception | None]:
        """Run in a thread. Return the exception, because a future can't raise StopIteration."""
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

    def __init__(self, request: bytes) -> None:
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
