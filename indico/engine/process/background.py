"""The way into the background, and the report to the process that was started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from daemon import DaemonContext

from .signals import STOP

Report = Callable[[int], None]


def detach(keep: Sequence[Any]) -> Report:
    """Return in a background process, in which the sockets and files of `keep` are still open.

    The first process waits for the returned function to be called, and exits with the code that the
    function gets. The code is 1 if the background process ends before. The first process's terminal
    shows all output until then.
    """
    reading, writing = os.pipe()
    return _continue(reading, writing, keep) if os.fork() == 0 else _wait(reading, writing)


def _wait(reading: int, writing: int) -> NoReturn:
    os.close(writing)
    for name in STOP:  # a signal may end this process, because it has nothing to clean up
        signal.signal(name, signal.SIG_DFL)
    code = os.read(reading, 1)
    os._exit(code[0] if code else 1)


def _continue(reading: int, writing: int, keep: Sequence[Any]) -> Report:
    os.close(reading)
    umask = os.umask(0)
    context = DaemonContext(
        detach_process=True,
        working_directory=os.getcwd(),
        umask=umask,
        files_preserve=[*keep, writing],
        stdout=sys.stdout,
        stderr=sys.stderr,
        signal_map={},
    )
    # `open` returns None after its fork; coverage sees no line of this function after that.
    return context.open() or partial(_report, writing)


def _report(writing: int, code: int) -> None:
    with suppress(BrokenPipeError):
        os.write(writing, bytes([code]))
    os.close(writing)
