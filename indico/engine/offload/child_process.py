"""A process of the pool, as the pool sees it: started, asked, killed."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from typing import BinaryIO, cast

from ..error import ServerError, Unavailable

Answer = tuple[bytes, str]


class ChildProcess:
    """A process that answers one request at a time; its program is `child.py`."""

    def __init__(self) -> None:
        self._killed = False
        self._popen = _start()
        self._requests = cast("BinaryIO", self._popen.stdin)
        self._answers = cast("BinaryIO", self._popen.stdout)

    def alive(self) -> bool:
        return not self._killed and self._popen.poll() is None

    def ask(self, request: bytes) -> Answer:
        try:
            pickle.dump(request, self._requests)
            self._requests.flush()
            answer: Answer = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            code = self._popen.wait()
            raise ServerError(f"The process at work on this ended, with code {code}.") from None
        return answer

    def kill(self) -> None:
        self._killed = True
        self._popen.kill()

    def dismiss(self) -> None:
        """Close the pipe of requests, so that an idle process ends."""
        with contextlib.suppress(OSError):  # a dead process has not read all
            self._requests.close()

    def end(self) -> None:
        self.dismiss()
        self._popen.wait()
        self._answers.close()


def _start() -> subprocess.Popen[bytes]:
    """Start a process. Raises `Unavailable` if the system has no descriptor or memory left."""
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            process_group=0,  # so that a Ctrl-C in the terminal reaches the server alone
        )
    except OSError as error:
        raise Unavailable from error
