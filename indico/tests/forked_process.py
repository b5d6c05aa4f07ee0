"""`ForkedProcess` and `ForkedServer`: a program that is forked from a process with its imports."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import psutil

from indico.tests.server_process import ROOT, ServerProcess

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("indico.app", "indico.tests.forked_process", "uvloop"),
        *(f"indico.engine.process.{name}" for name in ("autoreload", "command", "launch")),
    ]
)


class ForkedProcess(psutil.Process):
    """`python -m` in a process of its own, without the half of a second that the imports take.

    It is for tests to which it makes no difference how a program is started. The output is added to
    the file at `output`.
    """

    def __init__(self, module: str, arguments: Sequence[str], output: Path) -> None:
        given = module, list(arguments), output, dict(os.environ)
        self._forked = FORKS.Process(target=_run, args=given, daemon=True)
        self._forked.start()
        super().__init__(self._forked.pid)

    def poll(self) -> int | None:
        return self._forked.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raise `psutil.TimeoutExpired`."""
        self._forked.join(timeout)
        if (code := self.poll()) is None:
            raise psutil.TimeoutExpired(timeout or 0, self.pid)
        return code


def _run(module: str, arguments: list[str], output: Path, environment: dict[str, str]) -> None:
    """Become the program, in a process group of its own and with the environment of the test."""
    os.setpgid(0, 0)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)  # else `runpy` warns
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class ForkedServer(ServerProcess):
    """Your server; see `ForkedProcess`."""

    def __init__(self, *flags: str) -> None:
        self.output = tempfile.NamedTemporaryFile("w+", prefix="server-")  # noqa: SIM115
        forked = ForkedProcess(self.server, ["--port", "0", *flags], Path(self.output.name))
        self.process = cast("subprocess.Popen[bytes]", forked)  # which has the used methods
        self.port = 0
