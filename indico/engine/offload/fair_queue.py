"""The calls that wait for a process, of which each caller's come in turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue for several threads: callers take turns, so that none waits for all calls of another.

    queue = FairQueue()
    for caller, call in (("ada", 1), ("ada", 2), ("bob", 3)):
        queue.put(caller, call)
    queue.next(), queue.next(), queue.next()  # 1, 3, 2
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, deque[T]] = {}  # the first caller is the next

    def put(self, caller: Hashable, call: T) -> None:
        with self._lock:
            self._waiting.setdefault(caller, deque()).append(call)

    def next(self) -> T | None:
        """Remove and return the next call; None if none waits."""
        with self._lock:
            for caller, calls in self._waiting.items():
                del self._waiting[caller]
                call = calls.popleft()
                if calls:
                    self._waiting[caller] = calls
                return call
            return None

    def remove(self, caller: Hashable, call: T) -> None:
        """Remove a call, if it still waits."""
        with self._lock:
            calls = self._waiting.get(caller, deque())
            if call in calls:
                calls.remove(call)
                if not calls:
                    del self._waiting[caller]
