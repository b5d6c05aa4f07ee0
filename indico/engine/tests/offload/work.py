"""Functions that the tests of `offload` run in its processes."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from ...error import Conflict, MissingField
from ...offload import offload


@offload(deadline_seconds=600)
def pid() -> int:
    """Return the id of the process at work."""
    return os.getpid()


@offload(deadline_seconds=600)
def join(*parts: str, by: str = "") -> str:
    return by.join(parts)


@offload(deadline_seconds=600)
def hold(marker: Path) -> str:
    """Write the process id to the file `marker`, and work until the file is gone."""
    marker.write_text(f"{os.getpid()}\n")
    while marker.exists():
        pass
    return "held"


@offload(deadline_seconds=0.3)
def hold_too_long(marker: Path) -> str:
    return hold.__wrapped__(marker)


@offload(deadline_seconds=600)
def never_let_go(marker: Path) -> None:
    """Hold for longer than anybody lives, and give no other thread a turn."""
    marker.write_text(f"{os.getpid()}\n")
    re.match("(a+)+$", "a" * 100 + "b")


@offload(deadline_seconds=600)
def crash(how: str) -> None:
    if how == "exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segfault":
        ctypes.string_at(0)
    sys.exit(4)


class OfTwo(Exception):
    """An error that can be pickled and not unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class NotHere:
    """An object that can be pickled, and not unpickled in the process `pid`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __setstate__(self, state: dict[str, int]) -> None:
        if state["pid"] == os.getpid():
            raise OSError("not here")


@offload(deadline_seconds=600)
def fail(kind: str) -> None:
    if kind == "conflict":
        raise Conflict("Not now.", details=[{"path": "a", "reason": "b", "message": "c"}])
    if kind == "missing field":
        raise MissingField("a.b")
    if kind == "stop iteration":
        next(iter([]))
    if kind == "of two":
        raise OfTwo("one", "two")
    raise ZeroDivisionError("of no number")


@offload(deadline_seconds=600)
def give(kind: str, pid: int = 0) -> Any:
    return (lambda: 0) if kind == "function" else NotHere(pid)


@offload(deadline_seconds=600)
def surroundings() -> dict[str, Any]:
    """Return what the function sees of its process."""
    print("printed by a function")  # noqa: T201
    return {
        "files": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")[:-1]],
        "input": sys.stdin.read(),
        "nice": os.nice(0),
        "group": os.getpgid(0),
        "path": sys.path,
    }
