"""The machine: its requirements, and the use of its cores."""

from __future__ import annotations

import functools
import os
import platform
import resource
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
    """A machine that can't run the measurement; the message is a sentence for a person."""


def require_wrk() -> None:
    """Raise `UnfitError` without wrk."""
    if shutil.which("wrk") is None:
        raise UnfitError("bench needs wrk, the load generator: apt install wrk")


def two_cores() -> tuple[int, int]:
    """Return the server's core and the core of everything else. Raise `UnfitError`."""
    if sys.platform != "linux":
        raise UnfitError("bench needs Linux, which can tie a process to a core.")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise UnfitError("bench needs two cores: one for the server, one for everything else.")
    return cores[0], cores[1]


def withheld_seconds(core: int) -> float:
    """Return the seconds of `core` that interrupts and the host took from all processes."""
    times = psutil.cpu_times(percpu=True)[core]
    return times.irq + times.softirq + times.steal


def ended_children_seconds() -> float:
    """Return the user and system time of the children that have ended, such as wrk."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep each process that starts inside on `core`, with all of its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def busy_seconds(core: int) -> float:
    """Return the seconds of `core` that processes used or the host withheld, without interrupts."""
    times = psutil.cpu_times(percpu=True)[core]
    return times.user + times.nice + times.system + times.steal


def description() -> dict[str, str]:
    """Return the facts about the machine that a reader of the results needs."""
    return {
        "indico": f"{__version__}, commit {commit()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **_wrk(),
    }


def versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)


@functools.cache
def commit() -> str:
    """Return the commit of this code; the results of a run do not change it."""
    git = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    folder = Path(__file__).parent
    done = subprocess.run(git, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2].strip()
    return platform.machine()


def _wrk() -> dict[str, str]:
    if (wrk := shutil.which("wrk")) is None:
        return {}
    # The exit code is 1 even after wrk has printed its version.
    done = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False)
    return {"wrk": (done.stdout + done.stderr).split(" [")[0].removeprefix("wrk ")}
