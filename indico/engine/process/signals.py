"""What each signal asks of a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from .. import log
from ..settings import ServerSettings

HANG_UP = getattr(signal, "SIGHUP", None)
STOP = [signal.SIGINT, signal.SIGTERM]
# What a server gets whose terminal is closed; nohup sees to it that it goes on.
if os.name == "posix" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
    STOP.append(signal.SIGHUP)
_LOG = [signal.SIGUSR1] if os.name == "posix" else []


class Ended(Exception):
    """A second signal to stop: nothing is waited for any more."""


class Stop:
    """`asked` is set by the first signal to stop, from now on; `now` by the second one.

    SIGHUP is no second one: a terminal that is closed sends it twice, to who began the session
    and to all that are in the foreground.

    After `retire` there is no hurry, as another process serves already; until a signal to stop.
    """

    def __init__(self, names: Sequence[signal.Signals]) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()
        self.hurry = True
        for name in names:
            handle(name, self.asked.set if name == HANG_UP else self.ask)

    def ask(self) -> None:
        if self.hurry and self.asked.is_set():
            self.now.set()
        self.hurry = True
        self.asked.set()

    def retire(self) -> None:
        self.hurry = self.asked.is_set()
        self.asked.set()

    async def unless_asked(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until it ends, or a signal ends it."""
        await _unless(self.asked, work)

    async def unless_now(self, work: Coroutine[Any, Any, None]) -> None:
        """As `unless_asked`, of a second signal. Raises `Ended` then."""
        if not await _unless(self.now, work):
            raise Ended


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` has ended before `event` came, which cancels it."""
    task, came = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    await asyncio.wait([task, came], return_when=asyncio.FIRST_COMPLETED)
    came.cancel()
    if not task.done():
        task.cancel()
        return False
    task.result()
    return True


def handle(name: signal.Signals, callback: Callable[[], object]) -> None:
    """From now on, in the running event loop."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(name, callback)
    except NotImplementedError:  # pragma: no cover - Windows
        signal.signal(name, lambda *_: loop.call_soon_threadsafe(callback))


def at_end(file: int, callback: Callable[[], object]) -> None:
    """When there is nothing more to be read from `file`, as its other end is gone."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(file)
        callback()

    loop.add_reader(file, ended)


def leave() -> None:
    """A signal before there is a loop: what was started is taken down on the way out."""
    finish()
    for name in STOP:
        signal.signal(name, _leave)


def finish() -> None:
    """While what was started is taken down, no signal ends us half-way, or says anything new."""
    for name in (*STOP, *_LOG):
        signal.signal(name, _ignore)


def ignore_reload() -> None:
    """Before there is a loop, in a parent: its first workers are as new as can be."""
    may_hang_up = signal.SIGHUP in STOP and has_terminal()

    def hung_up(signum: int, frame: object) -> None:
        if may_hang_up and not has_terminal():
            _leave(signum, frame)

    signal.signal(signal.SIGHUP, hung_up)


def has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _leave(signum: int, _: object) -> NoReturn:
    finish()
    sys.exit(128 + signum)


def _ignore(signum: int, _: object) -> None:
    """Rather than SIG_IGN, which each program that we start would inherit."""


def reopen_log(settings: ServerSettings) -> None:
    """At SIGUSR1, for who moves the log file away. It would end us otherwise."""
    if os.name == "posix":  # pragma: no branch - Windows
        handle(signal.SIGUSR1, lambda: log.reopen(settings.log_target))
