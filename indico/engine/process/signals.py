"""The meaning of each signal to a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from .. import standard_streams
from ..settings import ServerSettings

HANG_UP = getattr(signal, "SIGHUP", None)
STOP = [signal.SIGINT, signal.SIGTERM]
# A server gets SIGHUP when its terminal is closed; nohup makes the server ignore it.
if os.name == "posix" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
    STOP.append(signal.SIGHUP)
_LOG = [signal.SIGUSR1] if os.name == "posix" else []


class SecondStop(Exception):
    """A second signal to stop: the process waits for nothing any more."""


class Stop:
    """The order to stop: the first signal sets `asked`, the second one sets `second`.

    SIGHUP is no second signal. A terminal that is closed sends it twice: to the leader of the
    session, and to all processes in the foreground.

    `retire` asks for a stop without hurry, because another process serves already. A signal to
    stop then still counts as the first one.
    """

    def __init__(self, names: Sequence[signal.Signals]) -> None:
        self.asked = asyncio.Event()
        self.second = asyncio.Event()
        self.hurry = True
        for name in names:
            handle(name, self.asked.set if name == HANG_UP else self.ask)

    def ask(self) -> None:
        if self.hurry and self.asked.is_set():
            self.second.set()
        self.hurry = True
        self.asked.set()

    def retire(self) -> None:
        self.hurry = self.asked.is_set()
        self.asked.set()

    async def unless_asked(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` until it ends; return False if the first signal cancels it."""
        return await _unless(self.asked, work)

    async def unless_second(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends. Raises `SecondStop` if the second signal cancels it."""
        if not await _unless(self.second, work):
            raise SecondStop


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Return whether `work` has ended before `event` was set; the event cancels `work`."""
    task, came = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    await asyncio.wait([task, came], return_when=asyncio.FIRST_COMPLETED)
    came.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])  # so that it gives back what it holds
        return False
    task.result()
    return True


def handle(name: signal.Signals, callback: Callable[[], object]) -> None:
    """Call `callback` in the running event loop at each signal of this name."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(name, callback)
    except NotImplementedError:  # pragma: no cover - Windows
        signal.signal(name, lambda *_: loop.call_soon_threadsafe(callback))


def at_end(file: int, callback: Callable[[], object]) -> None:
    """Call `callback` once `file` can be read, because its other end was closed."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(file)
        callback()

    loop.add_reader(file, ended)


def exit_on_stop() -> None:
    """Exit at a signal to stop, through `finally`, while there is no event loop yet."""
    ignore()
    for name in STOP:
        signal.signal(name, _exit)


def ignore() -> None:
    """Ignore signals from here on, so that none interrupts the clean-up."""
    for name in (*STOP, *_LOG):
        signal.signal(name, _ignore)


def ignore_reload() -> None:
    """Ignore SIGHUP in a parent without workers yet, unless it means a closed terminal."""
    may_hang_up = signal.SIGHUP in STOP and has_terminal()

    def hung_up(signum: int, frame: object) -> None:
        if may_hang_up and not has_terminal():
            _exit(signum, frame)

    signal.signal(signal.SIGHUP, hung_up)


def has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _exit(signum: int, _: object) -> NoReturn:
    ignore()
    sys.exit(128 + signum)


def _ignore(signum: int, _: object) -> None:
    """Do nothing. SIG_IGN instead would be inherited by every program that is started."""


def reopen_log(settings: ServerSettings) -> None:
    """Open the log file anew at SIGUSR1, which would end the process otherwise."""
    if os.name == "posix":  # pragma: no branch - Windows
        handle(signal.SIGUSR1, lambda: standard_streams.reopen(settings.log_target))
