"""The command in the test's own process, for tests whose subject is not the process."""

from __future__ import annotations

import gc
import io
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Self
from unittest.mock import patch

from ... import log
from ...jobs import Job
from ...mongo.collection import Collection
from ...process import command, signals
from ...program import Program
from ..sample.server import PROGRAM
from ..server_process import ENGINE, RunningServer


def run_main(
    *flags: str,
    program: Program = PROGRAM,
    main: Callable[[Program, Sequence[str]], int] = command.main,
    printed: io.StringIO | None = None,
) -> tuple[int, str]:
    """Return the exit code, and all that is printed. A process start would take a second."""
    printed = printed or io.StringIO()
    with warnings.catch_warnings(), restored(), redirect_stdout(printed), redirect_stderr(printed):
        # The end of a process would close the sockets of a server that refuses.
        warnings.simplefilter("ignore", ResourceWarning)
        code = main(program, flags)
    return code, printed.getvalue()


class InProcessServer(RunningServer):
    """A server in the test's own process, for tests whose subject is not the process.

    Signals need the main thread, so the server runs there, and the test's client in another one.
    The server makes no indexes, and runs no jobs, because both are also those of other tests.
    """

    def __init__(self) -> None:
        self._printed = io.StringIO()
        self._ended = threading.Event()
        self._stops = False

    def printed(self) -> str:
        return self._printed.getvalue()

    def has_ended(self) -> bool:
        return self._ended.is_set()

    def signal(self, name: signal.Signals) -> None:
        self._stops = self._stops or name in signals.STOP
        os.kill(os.getpid(), name)

    def run(self, client: Callable[[Self], object], *flags: str, program: Program = PROGRAM) -> int:
        """Return the exit code of a server, which stops after `client` unless it does before."""
        with ExitStack() as stack:
            stack.enter_context(patch.object(Collection, "declared", []))
            stack.enter_context(patch.dict(Job.declared, clear=True))
            thread = stack.enter_context(ThreadPoolExecutor(1))
            asking = thread.submit(self._ask, client)
            try:
                code, _ = run_main(*flags, program=program, printed=self._printed)
            finally:
                self._ended.set()
            asking.result()
        return code

    def _ask(self, client: Callable[[Self], object]) -> None:
        self.wait_until_it_listens()
        try:
            client(self)
        finally:
            if not self._stops:
                self.signal(signal.SIGTERM)


@contextmanager
def restored() -> Iterator[None]:
    """Restore signals and log, and forbid a fork, which would copy the tests."""
    names = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    handlers = {name: signal.getsignal(name) for name in names}
    try:
        with patch(f"{ENGINE}.process.background.detach", side_effect=AssertionError("a fork")):
            yield
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
        gc.unfreeze()  # a server has exempted all objects
        log.configure("text")
        log.LOGGER.setLevel("CRITICAL")
