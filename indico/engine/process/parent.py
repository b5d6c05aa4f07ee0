"""The parent: it holds the sockets, the PID file and the embedded MongoDB, and workers serve."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

from .. import log, tasks
from .. import settings as config
from ..error import StartError
from ..log import LOGGER
from ..mongo.embedded import Embedded
from ..mongo.supervision import supervise
from ..program import Program
from ..settings import ServerSettings, SettingsError
from . import signals, systemd
from .listening import Sockets
from .pid_file import PIDFile
from .worker_pool import WorkerPool


class Parent:
    """Passes signals on to a pool of workers, and tells systemd and the PID file of reloads."""

    def __init__(
        self,
        program: Program,
        settings: ServerSettings,
        flags: Sequence[str],
        sockets: Sockets,
        embedded: Embedded | None,
        pid_file: PIDFile | None,
        metrics_folder: str,
    ) -> None:
        self._program = program
        self._settings = settings
        self._flags = flags
        self._sockets = sockets
        self._embedded = embedded
        self._pid_file = pid_file
        self._pool = WorkerPool(program, flags, sockets, embedded, metrics_folder)
        self._reload = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal to stop; `ready` is called once the workers serve.

        Raises `StartError` if the first workers can't, and `signals.Ended` at a second signal.
        """
        stop = signals.Stop([signal.SIGINT, signal.SIGTERM])
        signals.handle(signal.SIGHUP, self._reload.set)
        if signal.SIGHUP in signals.STOP and signals.has_terminal():
            signals.handle(signal.SIGHUP, lambda: self._hung_up(stop))
        signals.handle(signal.SIGUSR1, self._reopen_log)
        try:
            await stop.unless_asked(self._live(ready))
            systemd.notify("STOPPING=1")
            # Open sockets would let connections wait for workers that accept none any more.
            for listening in self._sockets.all():
                listening.close()
            await stop.unless_now(self._pool.end(self._settings.drain_seconds))
        finally:
            await self._pool.kill()

    async def _live(self, ready: Callable[[], None]) -> None:
        self._pool.keep(await self._pool.start(self._settings))
        ready()
        if self._embedded:
            tasks.start(supervise(self._embedded, _nothing, self._restarted))
        while True:
            await self._reload.wait()
            self._reload.clear()
            await self._renew()

    async def _renew(self) -> None:
        """Start workers with today's code and settings; the old ones drain once those serve."""
        systemd.notify_reloading()
        try:
            settings = config.load(self._program.settings_class(), self._flags)
            started = await self._pool.start(settings)
        except (SettingsError, StartError) as error:
            LOGGER.error("not reloaded, the old workers go on: %s", error)
            self._tell_reloaded(False)
            return
        self._settings = settings
        self._pool.replace(started, settings.drain_seconds)
        LOGGER.info("reloaded: %s new workers serve, the old ones drain", len(started))
        self._tell_reloaded(True)

    def _tell_reloaded(self, done: bool) -> None:
        if self._pid_file:
            self._pid_file.reloaded(done)
        systemd.notify("READY=1")

    async def _restarted(self) -> None:
        """Renew the workers after a restart of MongoDB: they connect to it as it is now."""
        self._reload.set()

    def _hung_up(self, stop: signals.Stop) -> None:
        """Reload at SIGHUP, or stop if it says that the terminal was closed."""
        (self._reload if signals.has_terminal() else stop.asked).set()

    def _reopen_log(self) -> None:
        log.reopen(self._settings.log_target)
        self._pool.pass_on(signal.SIGUSR1)


async def _nothing() -> None:
    """Do nothing when MongoDB has ended: each worker notices by itself."""
