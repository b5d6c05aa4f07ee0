"""`run_main`: the command in the test's own process, for servers that refuse and for commands."""

from __future__ import annotations

import io
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

from ... import log
from ...process import command
from ...program import Program
from ..sample.server import PROGRAM
from ..server_process import ENGINE


def run_main(
    *flags: str,
    program: Program = PROGRAM,
    main: Callable[[Program, Sequence[str]], int] = command.main,
) -> tuple[int, str]:
    """Return the exit code, and all that is printed. A process start would take a second."""
    printed = io.StringIO()
    with warnings.catch_warnings(), _restored(), redirect_stdout(printed), redirect_stderr(printed):
        # The end of a process would close the sockets of a server that refuses.
        warnings.simplefilter("ignore", ResourceWarning)
        code = main(program, flags)
    return code, printed.getvalue()


@contextmanager
def _restored() -> Iterator[None]:
    """Restore signals and log, and forbid a fork, which would copy the tests."""
    names = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    handlers = {name: signal.getsignal(name) for name in names}
    try:
        with patch(f"{ENGINE}.process.background.detach", side_effect=AssertionError("a fork")):
            yield
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
        log.configure("text")
        log.LOGGER.setLevel("CRITICAL")
