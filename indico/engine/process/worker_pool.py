"""The workers of a parent: started, kept running, replaced by new ones, ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable

from .. import tasks
from ..error import StartError
from ..log import LOGGER
from ..settings import ServerSettings
from ..telemetry.processes import forget_process
from .worker_process import Starter, WorkerProcess, count

CLOSE_SECONDS = 5  # in addition to `drain_seconds`, before a worker is killed
FIRST_DELAY_SECONDS: float = 1
MAX_DELAY_SECONDS: float = 30


class WorkerPool:
    """Pool that keeps the workers of a server running."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._workers: set[WorkerProcess] = set()  # without the workers that drain
        self._alive: dict[WorkerProcess, asyncio.Task[None]] = {}  # with the task that reaps it

    async def start(self, settings: ServerSettings) -> list[WorkerProcess]:
        """Return as many new workers as `processes` says, all of which serve.

        Raises `StartError`, and kills the workers that were started, if they can't.
        """
        started: list[WorkerProcess] = []
        wanted = count(settings)
        try:
            # One goes first: what it can't do, none can, and one message is enough.
            for several in (1, wanted - 1):
                before = len(started)
                for _ in range(several):
                    started.append(await self._start_one(wanted))
                if not all(await asyncio.gather(*(one.serves() for one in started[before:]))):
                    raise StartError("The workers can't start; what they say is above.")
        except StartError:
            for worker in started:
                worker.end(signal.SIGKILL)
            raise
        return started

    def keep(self, started: Iterable[WorkerProcess]) -> None:
        """Start another worker whenever one of `started`, or its successor, ends."""
        for worker in started:
            self._workers.add(worker)
            worker.keeper = tasks.start(self._keep(worker))

    def replace(self, started: Iterable[WorkerProcess], drain_seconds: float) -> None:
        """Keep `started` in place of the present workers, which drain."""
        for worker in self._alive.keys() - self._workers.union(started):
            worker.end(signal.SIGTERM)  # it had its time since the last replacement
        old, self._workers = self._workers, set()
        self.keep(started)
        tasks.start(self._drain(old, signal.SIGHUP, drain_seconds))

    async def end(self, drain_seconds: float) -> None:
        """Let all workers drain; those that have died already are not replaced any more."""
        await self._drain(self._alive.keys() | self._workers, signal.SIGTERM, drain_seconds)

    async def kill(self) -> None:
        """End all workers at once, and wait until their metrics are added."""
        for worker in self._alive:
            worker.end(signal.SIGKILL)
        await asyncio.gather(*self._alive.values())

    def pass_on(self, name: signal.Signals) -> None:
        """Send a signal to each worker that serves; others do not know its meaning yet."""
        for worker in self._alive:
            if worker.served:
                worker.signal(name)

    async def _keep(self, worker: WorkerProcess) -> None:
        """Start another worker when this one has died, after a delay if it died early."""
        delay: float = 0
        while True:
            how = await _end(worker)
            delay = _longer(delay) if worker.died_early() else 0
            LOGGER.error(
                "worker %s ended %s; another one starts in %g s", worker.process.pid, how, delay
            )
            another = await self._start_after(delay)
            # Swap both without an await, so that a reload or a stop sees exactly one worker.
            self._workers.discard(worker)
            self._workers.add(another)
            worker = another
            worker.keeper = asyncio.current_task()
            if not await worker.serves():
                worker.signal(signal.SIGKILL)  # not `end`, which would cancel this task too

    async def _start_after(self, delay: float) -> WorkerProcess:
        while True:
            await asyncio.sleep(delay)
            try:
                return await self._start_one(len(self._workers))
            except StartError as error:
                delay = _longer(delay)
                LOGGER.error("%s The next try is in %g s.", error, delay)

    async def _start_one(self, workers: int) -> WorkerProcess:
        worker = await self._starter.start(workers)
        self._alive[worker] = tasks.start(self._reap(worker))
        return worker

    async def _reap(self, worker: WorkerProcess) -> None:
        await worker.ended()
        pid, folder = worker.process.pid, self._starter.metrics_folder
        try:
            await asyncio.to_thread(forget_process, pid, folder)
        except OSError as error:
            LOGGER.error("the metrics of worker %s stay: %s", pid, error)
        del self._alive[worker]

    async def _drain(
        self, workers: Iterable[WorkerProcess], how: signal.Signals, drain_seconds: float
    ) -> None:
        """Let workers drain, and kill those that take longer than they may."""
        draining = list(workers)
        for worker in draining:
            worker.end(how)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain_seconds + CLOSE_SECONDS
        for worker in draining:
            try:
                await asyncio.wait_for(worker.ended(), deadline - loop.time())
            except TimeoutError:
                LOGGER.error("worker %s does not end and is killed", worker.process.pid)
                worker.end(signal.SIGKILL)


async def _end(worker: WorkerProcess) -> str:
    """Wait until the worker has ended, or is killed because it is silent; return how."""
    watching = tasks.start(worker.kill_if_silent())
    try:
        return await worker.ended()
    finally:
        watching.cancel()


def _longer(delay: float) -> float:
    return min(2 * delay or FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS)
