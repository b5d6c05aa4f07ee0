"""The parent: it holds the sockets, the PID file and the embedded MongoDB, and workers serve."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from .. import standard_streams, tasks
from ..error import StartError
from ..log import LOGGER
from ..settings import ServerSettings, SettingsError
from . import signals, systemd
from .pid_file import PIDFile
from .worker_pool import WorkerPool
from .worker_process import Starter


class Parent:
    """Passes signals on to a pool of workers, and tells systemd and the PID file of reloads."""

    def __init__(
        self, starter: Starter, settings: ServerSettings, pid_file: PIDFile | None
    ) -> None:
        self._starter = starter
        self._settings = settings
        self._pid_file = pid_file
        self._pool = WorkerPool(starter)
        self._reload = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal to stop; `ready` is called once the workers serve.

        Raises `StartError` if the first workers can't, and `SecondStop` at a second signal.
        """
        stop = signals.Stop([signal.SIGINT, signal.SIGTERM])
        signals.handle(signal.SIGHUP, self._reload.set)
        if signal.SIGHUP in signals.STOP and signals.has_terminal():
            signals.handle(signal.SIGHUP, lambda: self._hung_up(stop))
        signals.handle(signal.SIGUSR1, self._reopen_log)
        try:
            await stop.unless_asked(self._live(ready))
            systemd.notify("STOPPING=1")
            # Connections would wait in open sockets, because no worker accepts any more.
            for listening in self._starter.sockets.all():
                listening.close()
            await stop.unless_second(self._pool.end(self._settings.drain_seconds))
        finally:
            await self._pool.kill()

    async def _live(self, ready: Callable[[], None]) -> None:
        self._pool.keep(await self._pool.start(self._settings))
        ready()
        if self._starter.embedded:
            from ..mongo.supervision import supervise  # other parents need no driver

            tasks.start(supervise(self._starter.embedded, _nothing, self._restarted))
        while True:
            await self._reload.wait()
            self._reload.clear()
            await self._renew()

    async def _renew(self) -> None:
        """Start workers with today's code and settings; the old ones drain once those serve."""
        systemd.notify_reloading()
        try:
            settings = self._starter.load_settings()
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
            self._pid_file.record_reload(done)
        systemd.notify("READY=1")

    async def _restarted(self) -> None:
        """Renew the workers after a restart of MongoDB, because its port may have changed."""
        self._reload.set()

    def _hung_up(self, stop: signals.Stop) -> None:
        """Reload at SIGHUP, or stop if the signal means that the terminal was closed."""
        (self._reload if signals.has_terminal() else stop.asked).set()

    def _reopen_log(self) -> None:
        standard_streams.reopen(self._settings.log_target)
        self._pool.pass_on(signal.SIGUSR1)


async def _nothing() -> None:
    """Do nothing when MongoDB has ended: each worker notices by itself."""
