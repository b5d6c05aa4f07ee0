"""The machine: what a run needs of it, and which of its cores does what."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil

from indico import __version__


class UnfitError(Exception):
    """Why a run can't be made here, in a sentence for a person."""


def require() -> tuple[int, int]:
    """The core of the server, and the core of everything else. Raises `UnfitError`."""
    if sys.platform != "linux":
        raise UnfitError("bench needs Linux, which can tie a process to a core.")
    if shutil.which("wrk") is None:
        raise UnfitError("bench needs wrk, the load generator: apt install wrk")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise UnfitError("bench needs two cores: one for the server, one for everything else.")
    return cores[0], cores[1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside stays on `core`, with all of its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def busy_seconds(core: int) -> float:
    """What processes have used of `core` so far, and what the host withheld, but no interrupts."""
    times = psutil.cpu_times(percpu=True)[core]
    return times.user + times.nice + times.system + times.steal


def description() -> dict[str, str]:
    """What a reader has to know of the machine."""
    return {
        "indico": f"{__version__}, commit {_commit()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "wrk": _wrk(),
    }


def versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)


def _commit() -> str:
    git = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    folder = Path(__file__).parent
    done = subprocess.run(git, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2].strip()
    return platform.machine()


def _wrk() -> str:
    # It ends with 1 after it has said its version.
    done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)  # noqa: S607
    return (done.stdout + done.stderr).split(" [")[0].removeprefix("wrk ")
