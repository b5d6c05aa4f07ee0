"""A worker as its parent sees it: a process, and the parent's end of a channel to it.

A worker is a new Python process rather than a bare fork. So a worker starts with the current code
and settings, and with no thread, loop or connection of its parent. Over the channel the worker gets
its sockets, and says again and again that it serves. Either side learns by the channel that the
other has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from .. import offload
from .. import settings as config
from ..error import StartError
from ..log import LOGGER
from ..program import Program
from ..settings import ServerSettings
from ..telemetry.processes import VARIABLE
from .listening import Sockets

if TYPE_CHECKING:
    from ..mongo.embedded import Embedded

START_SECONDS = 60
EARLY_SECONDS = 5  # a worker that ends sooner has not been of use
SILENT_SECONDS: float = 30


class WorkerProcess:
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
            said = await asyncio.wait_for(loop.sock_recv(self._channel, 1), START_SECONDS)
        except (TimeoutError, OSError):
            said = b""
        self.served = bool(said)
        return self.served

    async def ended(self) -> str:
        """Wait until it has ended, and return how."""
        code = await self.process.wait()
        self._channel.close()
        return f"by signal {-code}" if code < 0 else f"with code {code}"

    async def kill_if_silent(self) -> None:
        """Kill the worker once it has said nothing for `SILENT_SECONDS`.

        Then it is stopped, or its event loop is blocked. The silence must last for two looks. After
        a pause of the whole machine the parent may look before the workers can speak.
        """
        silent = 0
        while silent < 2:
            await asyncio.sleep(SILENT_SECONDS / 2)
            silent = 0 if self._has_spoken() else silent + 1
        LOGGER.error(
            "worker %s has said nothing for %g s and is killed", self.process.pid, SILENT_SECONDS
        )
        self.signal(signal.SIGKILL)

    def _has_spoken(self) -> bool:
        with suppress(OSError):  # there is nothing to read, or the worker has ended
            return bool(self._channel.recv(1 << 12))
        return False

    def died_early(self) -> bool:
        return not self.served or time.monotonic() - self._started < EARLY_SECONDS

    def end(self, name: signal.Signals) -> None:
        """Send a signal that ends the worker, once, and start no successor.

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


class Starter(NamedTuple):
    """The start of every worker: its program, settings and sockets.

    `flags` are the settings as they were typed. `metrics_folder` is where the workers count
    together what /metrics answers.
    """

    program: Program
    flags: Sequence[str]
    sockets: Sockets
    embedded: Embedded | None
    metrics_folder: str

    def load_settings(self) -> ServerSettings:
        """Return the settings of today. Raises `SettingsError`."""
        return config.load(self.program.settings_class(), self.flags)

    def command(self) -> list[str]:
        return [sys.executable, "-m", f"{__package__}.worker"]

    async def start(self, workers: int) -> WorkerProcess:
        """Start one of `workers`.

        Raises `StartError` when the system gives no process, or too few files.
        """
        try:
            return await self._start(workers)
        except OSError as error:
            raise StartError(f"A worker can't be started: {error.strerror}.") from None

    async def _start(self, workers: int) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self.command(),
                str(theirs.fileno()),
                *self.flags,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                # A Ctrl-C in the terminal must reach the parent alone, which lets workers drain.
                process_group=0,
                env={**os.environ, VARIABLE: self.metrics_folder},
            )
        given = {
            "program": self.program,
            "sockets": self.sockets.counts,
            "workers": workers,
            "speak_seconds": SILENT_SECONDS / 4,
            "mongodb": self.embedded.uri if self.embedded else None,
        }
        descriptors = [listening.fileno() for listening in self.sockets.all()]
        with suppress(BrokenPipeError):  # it has ended already, which `serves` finds too
            socket.send_fds(ours, [json.dumps(given).encode()], descriptors)
        ours.setblocking(False)
        return WorkerProcess(process, ours)


def count(settings: ServerSettings) -> int:
    """Return how many workers `processes` asks for."""
    if settings.processes is None:
        return 1
    return settings.processes or offload.cores()
