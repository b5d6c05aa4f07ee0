"""The workers of a parent: started, kept running, replaced by new ones, ended.

A worker is a new Python process rather than a bare fork, so that it has the code and the settings
of the day on which it starts, and no thread, loop or connection of its parent. Worker and parent
hold the two ends of a channel. Over it the worker gets its sockets and says that it serves, and
either learns by it that the other has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from .. import offload, tasks
from ..error import StartError
from ..log import LOGGER
from ..mongo.embedded import Embedded
from ..program import Program
from ..settings import ServerSettings
from ..telemetry.processes import VARIABLE, forget_process
from .listening import Sockets

_START_SECONDS = 60
_CLOSE_SECONDS = 5  # beyond `drain_seconds`, before a worker is killed
_EARLY_SECONDS = 5  # a worker that ends sooner has not been of use
_MAX_DELAY_SECONDS = 30


class Worker:
    """A process that serves, and the parent's end of the channel to it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.process = process
        self.served = False
        self.keeper: asyncio.Task[None] | None = None  # starts another one when it has died
        self._channel = channel
        self._started = time.monotonic()
        self._sent: set[signal.Signals] = set()

    async def serves(self) -> bool:
        """Wait until it serves; return False if it has ended, or takes too long."""
        loop = asyncio.get_running_loop()
        try:
            said = await asyncio.wait_for(loop.sock_recv(self._channel, 1), _START_SECONDS)
        except (TimeoutError, OSError):
            said = b""
        self.served = bool(said)
        return self.served

    async def ended(self) -> str:
        """Wait until it has ended, and return how."""
        code = await self.process.wait()
        self._channel.close()
        return f"by signal {-code}" if code < 0 else f"with code {code}"

    def died_early(self) -> bool:
        return not self.served or time.monotonic() - self._started < _EARLY_SECONDS

    def send(self, name: signal.Signals) -> None:
        """Send a signal that ends the worker, once, and keep no successor for it.

        SIGTERM lets it drain, SIGHUP too, without haste. A second signal to stop would cut off
        the requests in flight.
        """
        if name in self._sent:
            return
        self._sent.add(name)
        if self.keeper:
            self.keeper.cancel()
        self.signal(name)

    def signal(self, name: signal.Signals) -> None:
        """Send a signal, without asyncio's `send_signal`, which may take away the exit code."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, name)


class WorkerPool:
    """Keeps the workers of a server running.

    `flags` are those that each worker starts with. `metrics_folder` is where the workers count
    together what /metrics answers.
    """

    def __init__(
        self,
        program: Program,
        flags: Sequence[str],
        sockets: Sockets,
        embedded: Embedded | None,
        metrics_folder: str,
    ) -> None:
        self._program = program
        self._flags = flags
        self._sockets = sockets
        self._embedded = embedded
        self._metrics_folder = metrics_folder
        self._workers: set[Worker] = set()  # those that are to serve, and not to drain
        self._alive: set[Worker] = set()

    async def start(self, settings: ServerSettings) -> list[Worker]:
        """Return as many new workers as `processes` says, all of which serve.

        Raises `StartError`, and kills what was started, if they can't.
        """
        started: list[Worker] = []
        wanted = count(settings)
        try:
            # One goes first: what it can't do, none can, and one message is enough.
            for several in (1, wanted - 1):
                before = len(started)
                for _ in range(several):
                    started.append(await self._spawn(wanted))
                if not all(await asyncio.gather(*(one.serves() for one in started[before:]))):
                    raise StartError("The workers can't start; what they say is above.")
        except StartError:
            for worker in started:
                worker.send(signal.SIGKILL)
            raise
        return started

    def keep(self, started: Iterable[Worker]) -> None:
        """Start another worker whenever one of `started`, or its successor, ends."""
        for worker in started:
            self._workers.add(worker)
            worker.keeper = tasks.start(self._keep(worker))

    def replace(self, started: Iterable[Worker], drain_seconds: float) -> None:
        """Keep `started` in place of the present workers, which drain."""
        for worker in self._alive - self._workers.union(started):
            worker.send(signal.SIGTERM)  # it had its time since the last replacement
        old, self._workers = self._workers, set()
        self.keep(started)
        tasks.start(self._end(old, signal.SIGHUP, drain_seconds))

    async def end(self, drain_seconds: float) -> None:
        """Let all workers drain; those that have died already are not replaced any more."""
        await self._end(self._alive | self._workers, signal.SIGTERM, drain_seconds)

    async def kill(self) -> None:
        for worker in list(self._alive):
            worker.send(signal.SIGKILL)
        await asyncio.gather(*(worker.ended() for worker in self._alive))

    def pass_on(self, name: signal.Signals) -> None:
        """Send a signal to each worker that serves; others do not know its meaning yet."""
        for worker in self._alive:
            if worker.served:
                worker.signal(name)

    async def _keep(self, worker: Worker) -> None:
        """Start another worker when this one has died, after a delay if it died early."""
        delay = 0
        while True:
            how = await worker.ended()
            delay = min(2 * delay or 1, _MAX_DELAY_SECONDS) if worker.died_early() else 0
            LOGGER.error(
                "worker %s ended %s; another one starts in %s s", worker.process.pid, how, delay
            )
            another = await self._spawn_after(delay)
            # Swap both without an await, so that a reload or a stop sees exactly one worker.
            self._workers.discard(worker)
            self._workers.add(another)
            worker = another
            worker.keeper = asyncio.current_task()
            if not await worker.serves():
                worker.signal(signal.SIGKILL)  # not `send`, which would end this task too

    async def _spawn_after(self, delay: int) -> Worker:
        while True:
            await asyncio.sleep(delay)
            try:
                return await self._spawn(len(self._workers))
            except StartError as error:
                delay = min(2 * delay or 1, _MAX_DELAY_SECONDS)
                LOGGER.error("%s The next try is in %s s.", error, delay)

    async def _spawn(self, workers: int) -> Worker:
        """Raise `StartError` when the system gives no process, or too few files."""
        try:
            return await self._start_process(workers)
        except OSError as error:
            raise StartError(f"A worker can't be started: {error.strerror}.") from None

    async def _start_process(self, workers: int) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno())),
                *self._flags,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                # A Ctrl-C in the terminal is for the parent, which lets them drain.
                process_group=0,
                env={**os.environ, VARIABLE: self._metrics_folder},
            )
        given = {
            "program": self._program,
            "api": len(self._sockets.api),
            "workers": workers,
            "mongodb": self._embedded.uri if self._embedded else None,
        }
        descriptors = [listening.fileno() for listening in self._sockets.all()]
        socket.send_fds(ours, [json.dumps(given).encode()], descriptors)
        ours.setblocking(False)
        worker = Worker(process, ours)
        self._alive.add(worker)
        tasks.start(self._reap(worker))
        return worker

    async def _reap(self, worker: Worker) -> None:
        await worker.ended()
        self._alive.discard(worker)
        try:
            await asyncio.to_thread(forget_process, worker.process.pid, self._metrics_folder)
        except OSError as error:
            LOGGER.error("the metrics of worker %s stay: %s", worker.process.pid, error)

    async def _end(
        self, workers: Iterable[Worker], how: signal.Signals, drain_seconds: float
    ) -> None:
        """Let workers drain, and kill those that take longer than they may."""
        draining = list(workers)
        for worker in draining:
            worker.send(how)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain_seconds + _CLOSE_SECONDS
        for worker in draining:
            try:
                await asyncio.wait_for(worker.ended(), deadline - loop.time())
            except TimeoutError:
                LOGGER.error("worker %s does not end and is killed", worker.process.pid)
                worker.send(signal.SIGKILL)


def count(settings: ServerSettings) -> int:
    """Return how many workers there are to be."""
    if settings.processes is None:
        return 1
    return settings.processes or offload.cores()
