"""`no_descriptors`: a process that has no descriptor left."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Lower the limit of open files, so that no more can be opened.

    No garbage is collected meanwhile, because a collection may close files of earlier tests.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    collects = gc.isenabled()
    gc.disable()
    try:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        yield
    finally:
        if collects:
            gc.enable()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
