"""The run queue: where a thread with work to do waits while other programs have the processor."""

from __future__ import annotations

import functools
import os


def waited_seconds() -> float:
    """Return how long this thread has waited there; 0 where the system does not tell."""
    file = _schedstat()
    return int(os.pread(file, 100, 0).split()[1]) / 1e9 if file is not None else 0.0


@functools.cache
def _schedstat() -> int | None:
    """Open the statistics of the thread that asks first, which is the event loop's."""
    try:
        return os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return None
