"""The files and connections that a process may have open at once."""

from __future__ import annotations

import sys
from contextlib import suppress

try:
    import resource
except ImportError:  # pragma: no cover - Windows
    resource = None  # type: ignore[assignment]

# Files and connections that belong to no request: MongoDB's, idle clients', the log.
OTHER_FILES = 500
_DARWIN = 10_240  # OPEN_MAX: macOS names no limit, and refuses more


def raise_limit() -> None:
    """Raise the limit of this process to the most that its user may set.

    A shell's limit is often 1024, because `select` handles no more. No event loop here uses that.
    """
    if resource is None:  # pragma: no cover - Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, _DARWIN):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def most() -> int:
    """Return how many files a process may have open after `raise_limit`."""
    if resource is None:  # pragma: no cover - Windows
        return sys.maxsize
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def most_requests() -> int:
    """Return how many requests can be in flight, each on a connection of its own."""
    return max(most() - OTHER_FILES, most() // 2)
