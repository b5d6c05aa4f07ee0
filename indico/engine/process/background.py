"""Going on in the background, and telling who started us how that went."""

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
    """Returns in the background, with what is in `keep` (sockets, files) still open.

    The process that was started waits until the function that this returns is called, and leaves
    with the code that it is given; with 1 if we end before. Until then its terminal shows what we
    say.
    """
    reads, writes = os.pipe()
    return _go_on(reads, writes, keep) if os.fork() == 0 else _wait(reads, writes)


def _wait(reads: int, writes: int) -> NoReturn:
    os.close(writes)
    for name in STOP:  # who waits no longer has nothing of the server's to take down
        signal.signal(name, signal.SIG_DFL)
    code = os.read(reads, 1)
    os._exit(code[0] if code else 1)


def _go_on(reads: int, writes: int, keep: Sequence[Any]) -> Report:
    os.close(reads)
    umask = os.umask(0)
    context = DaemonContext(
        detach_process=True,
        working_directory=os.getcwd(),
        umask=umask,
        files_preserve=[*keep, writes],
        stdout=sys.stdout,
        stderr=sys.stderr,
        signal_map={},
    )
    return context.open() or partial(_report, writes)  # `open` forks, and returns nothing


def _report(writes: int, code: int) -> None:
    with suppress(BrokenPipeError):
        os.write(writes, bytes([code]))
    os.close(writes)
