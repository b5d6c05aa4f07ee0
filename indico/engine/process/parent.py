"""The parent: it holds the sockets and the embedded MongoDB, and its workers serve.

A worker is a new Python process rather than a bare fork, so that it has the code and the settings
of the day on which it starts, and no thread, loop or connection of its parent's. Worker and parent
hold the two ends of a channel: over it the worker gets its sockets and says that it serves, and
its end tells either of the other's.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from .. import log, offload
from .. import settings as config
from ..error import StartError
from ..log import LOGGER
from ..mongo.embedded import Embedded
from ..program import Program
from ..settings import ServerSettings, SettingsError
from ..telemetry.processes import VARIABLE, forget_process
from . import signals, systemd
from .listening import Sockets
from .pid_file import PIDFile

_START_SECONDS = 60
_CLOSE_SECONDS = 5  # beyond `drain_seconds`, before a worker is ended by force
_AT_ONCE_SECONDS = 5  # who dies sooner than this has no time to be of use
_MAX_DELAY_SECONDS = 30
_SUPERVISE_SECONDS = 1


class Worker:
    """A process that serves, and our end of the channel to it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.process = process
        self.served = False
        self.keeper: asyncio.Task[None] | None = None  # who starts another one when it has died
        self._channel = channel
        self._started = time.monotonic()
        self._sent: set[signal.Signals] = set()

    async def serves(self) -> bool:
        """Waits until it serves; false if it has ended, or takes too long."""
        loop = asyncio.get_running_loop()
        try:
            said = await asyncio.wait_for(loop.sock_recv(self._channel, 1), _START_SECONDS)
        except (TimeoutError, OSError):
            said = b""
        self.served = bool(said)
        return self.served

    async def ended(self) -> str:
        """How it ended."""
        code = await self.process.wait()
        self._channel.close()
        return f"by signal {-code}" if code < 0 else f"with code {code}"

    def died_at_once(self) -> bool:
        return not self.served or time.monotonic() - self._started < _AT_ONCE_SECONDS

    def send(self, name: signal.Signals) -> None:
        """Once each: a second signal to stop would cut off what is in flight.

        SIGTERM lets it drain, SIGHUP too, without haste; nobody takes its place then.
        """
        if name in self._sent:
            return
        self._sent.add(name)
        if self.keeper:
            self.keeper.cancel()
        self.signal(name)

    def signal(self, name: signal.Signals) -> None:
        """Not by asyncio's `send_signal`, which may take its exit code from who waits for it."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, name)


class Parent:
    """Keeps workers running.

    `argv` are the flags that each of them starts with, `figures` the folder where they count
    together what /metrics answers.
    """

    def __init__(
        self,
        program: Program,
        settings: ServerSettings,
        argv: Sequence[str],
        sockets: Sockets,
        embedded: Embedded | None,
        pid_file: PIDFile | None,
        figures: str,
    ) -> None:
        self._program = program
        self._settings = settings
        self._argv = argv
        self._sockets = sockets
        self._embedded = embedded
        self._pid_file = pid_file
        self._figures = figures
        self._workers: set[Worker] = set()  # those that are to serve, and not to drain
        self._alive: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps none alive
        self._reload = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Until a signal to stop; `ready` is called once the workers serve.

        Raises `StartError` if the first ones can't, and `signals.Ended` at a second signal.
        """
        stop = signals.Stop([signal.SIGINT, signal.SIGTERM])
        signals.handle(signal.SIGHUP, self._reload.set)
        if signal.SIGHUP in signals.STOP and signals.has_terminal():
            signals.handle(signal.SIGHUP, lambda: self._hung_up(stop))
        signals.handle(signal.SIGUSR1, self._reopen_log)
        try:
            await stop.unless_asked(self._live(ready))
            systemd.notify("STOPPING=1")
            # While ours are open, connections wait on them for workers that accept none any more.
            for listening in self._sockets.all():
                listening.close()
            # Those that have died too: nobody takes their place any more.
            await stop.unless_now(self._end(self._alive | self._workers, signal.SIGTERM))
        finally:
            for worker in list(self._alive):
                worker.send(signal.SIGKILL)
            await asyncio.gather(*(worker.ended() for worker in self._alive))

    async def _live(self, ready: Callable[[], None]) -> None:
        self._serve(await self._start_workers())
        ready()
        if self._embedded:
            self._task(self._supervise(self._embedded))
        while True:
            await self._reload.wait()
            self._reload.clear()
            await self._renew()

    async def _renew(self) -> None:
        """Workers with today's code and settings; the old ones drain once the new ones serve."""
        systemd.notify_reloading()
        before, retired = self._settings, self._alive - self._workers
        try:
            self._settings = config.load(self._program.settings_class(), self._argv)
            started = await self._start_workers()
        except (SettingsError, StartError) as error:
            LOGGER.error("not reloaded, the old workers go on: %s", error)
            self._settings = before
            self._reloaded(False)
            return
        for worker in retired:
            worker.send(signal.SIGTERM)  # it had its time since the last reload
        old, self._workers = self._workers, set()
        self._serve(started)
        LOGGER.info("reloaded: %s new workers serve, the old ones drain", len(started))
        self._reloaded(True)
        self._task(self._end(old, signal.SIGHUP))

    def _reloaded(self, done: bool) -> None:
        if self._pid_file:
            self._pid_file.reloaded(done)
        systemd.notify("READY=1")

    async def _start_workers(self) -> list[Worker]:
        """As many as `processes` says, all of which serve. Raises `StartError`."""
        started: list[Worker] = []
        try:
            # One goes first: what it can't do, none can, and it says so once.
            for several in (1, count(self._settings) - 1):
                before = len(started)
                for _ in range(several):
                    started.append(await self._spawn())
                if not all(await asyncio.gather(*(one.serves() for one in started[before:]))):
                    raise StartError("The workers can't start; what they say is above.")
        except StartError:
            for worker in started:
                worker.send(signal.SIGKILL)
            raise
        return started

    def _serve(self, started: list[Worker]) -> None:
        for worker in started:
            self._workers.add(worker)
            worker.keeper = self._task(self._keep(worker))

    async def _keep(self, worker: Worker) -> None:
        """Starts another one when it has died, later each time if that happens at once."""
        delay = 0
        while True:
            how = await worker.ended()
            delay = min(2 * delay or 1, _MAX_DELAY_SECONDS) if worker.died_at_once() else 0
            LOGGER.error(
                "worker %s ended %s; another one starts in %s s", worker.process.pid, how, delay
            )
            another = await self._spawn_after(delay)
            # At once: who reloads or stops finds us by the one or the other.
            self._workers.discard(worker)
            self._workers.add(another)
            worker = another
            worker.keeper = asyncio.current_task()
            if not await worker.serves():
                worker.signal(signal.SIGKILL)  # not `send`, which would end us too

    async def _spawn_after(self, delay: int) -> Worker:
        while True:
            await asyncio.sleep(delay)
            try:
                return await self._spawn()
            except StartError as error:
                delay = min(2 * delay or 1, _MAX_DELAY_SECONDS)
                LOGGER.error("%s The next try is in %s s.", error, delay)

    async def _spawn(self) -> Worker:
        """Raises `StartError` when the system gives us no process, or too few files."""
        try:
            return await self._start_process()
        except OSError as error:
            raise StartError(f"A worker can't be started: {error.strerror}.") from None

    async def _start_process(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno())),
                *self._argv,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                # A Ctrl-C in the terminal is for the parent, which lets them drain.
                process_group=0,
                env={**os.environ, VARIABLE: self._figures},
            )
        given = {
            "program": self._program,
            "api": len(self._sockets.api),
            "workers": count(self._settings),
            "mongodb": self._embedded.uri if self._embedded else None,
        }
        descriptors = [listening.fileno() for listening in self._sockets.all()]
        socket.send_fds(ours, [json.dumps(given).encode()], descriptors)
        ours.setblocking(False)
        worker = Worker(process, ours)
        self._alive.add(worker)
        self._task(self._reap(worker))
        return worker

    async def _reap(self, worker: Worker) -> None:
        await worker.ended()
        self._alive.discard(worker)
        try:
            await asyncio.to_thread(forget_process, worker.process.pid, self._figures)
        except OSError as error:
            LOGGER.error("the figures of worker %s stay: %s", worker.process.pid, error)

    async def _end(self, workers: Iterable[Worker], how: signal.Signals) -> None:
        """Lets them drain, and ends by force who takes longer than it may."""
        draining = list(workers)
        for worker in draining:
            worker.send(how)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_seconds + _CLOSE_SECONDS
        for worker in draining:
            try:
                await asyncio.wait_for(worker.ended(), deadline - loop.time())
            except TimeoutError:
                LOGGER.error("worker %s does not end and is ended by force", worker.process.pid)
                worker.send(signal.SIGKILL)

    async def _supervise(self, embedded: Embedded) -> None:
        """Starts the embedded MongoDB again when it has ended, whoever ended it.

        It may be on another port then, and its data may be gone: so new workers connect to it,
        which make the indexes again before anybody writes.
        """
        while True:
            await asyncio.sleep(_SUPERVISE_SECONDS)
            if embedded.running():
                continue
            LOGGER.error("the embedded MongoDB has ended; starting it again")
            try:
                await asyncio.to_thread(embedded.start)
            except StartError as error:
                LOGGER.error("%s", error)
            else:
                self._reload.set()

    def _hung_up(self, stop: signals.Stop) -> None:
        """SIGHUP asks for a reload, unless it says that the terminal was closed."""
        (self._reload if signals.has_terminal() else stop.asked).set()

    def _reopen_log(self) -> None:
        log.reopen(self._settings.log_target)
        for worker in self._alive:
            if worker.served:  # the others have yet to open it, and to learn what the signal says
                worker.signal(signal.SIGUSR1)

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def count(settings: ServerSettings) -> int:
    """How many workers there are to be."""
    if settings.processes is None:
        return 1
    return settings.processes or offload.cores()
