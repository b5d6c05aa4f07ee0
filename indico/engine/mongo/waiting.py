"""Operations outside batches that are not sent yet: each waits for a connection of the driver.

Motor's also wait for one of its threads.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

# So many operations may wait while the driver opens connections. That is no sign of too much load.
FEW = 32

_since: dict[object, float] = {}
_current: ContextVar[object] = ContextVar("waiting")


def remember() -> object:
    """Return a key for the operation that the current task begins."""
    key = object()
    _since[key] = asyncio.get_running_loop().time()
    _current.set(key)
    return key


def forget(key: object) -> None:
    _since.pop(key, None)


def forget_current() -> None:
    """Forget the operation that has got a connection; Motor's threads call this."""
    forget(_current.get(None))


def delay(now: float) -> float:
    """Return how long the oldest operation has waited, or 0 while `FEW` wait."""
    return now - min(list(_since.values()), default=now) if len(_since) > FEW else 0.0
