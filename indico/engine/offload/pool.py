"""The pool: its processes, the threads that talk to them, and the calls that wait in turns.

Each call has a thread and a process to itself. So a process that ends fails no other call, and the
pool belongs to no event loop. The first call starts the first process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..error import DeadlineExceeded, Overloaded, RateLimited, Unavailable
from .child_process import Answer, ChildProcess
from .fair_queue import FairQueue

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
        self._idle: list[ChildProcess] = []
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
        process = self._idle_process() or ChildProcess()
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

    def _idle_process(self) -> ChildProcess | None:
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
        self._process: ChildProcess | None = None
        self._lock = threading.Lock()

    def run(self, process: ChildProcess) -> Answer:
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


def cores() -> int:
    """Return the number of cores that this process may use, where the platform tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - macOS, Windows
