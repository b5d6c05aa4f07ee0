"""Admission: how many requests a process takes at once, and when all of them are answered."""

from __future__ import annotations

import asyncio
import time

from tornado.httputil import HTTPServerRequest

# Load balancers and monitoring ask these paths, and need an answer most under overload.
ALWAYS_ADMITTED = frozenset({"/healthz", "/readyz", "/metrics"})


class Admission:
    """The requests in flight, of which `limit` at most are admitted to their handlers.

    A request is in flight from its head on. It is admitted when its body is complete, because a
    body may be long on its way.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight: set[HTTPServerRequest] = set()
        self._admitted: set[HTTPServerRequest] = set()
        self._idle = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def full(self) -> bool:
        return len(self._admitted) >= self._limit

    def enter(self, request: HTTPServerRequest) -> None:
        self._in_flight.add(request)

    def admit(self, request: HTTPServerRequest) -> bool:
        """Admit `request` to its handler; return False if it is one too many."""
        if len(self._admitted) >= self._limit and request.path not in ALWAYS_ADMITTED:
            return False
        self._admitted.add(request)
        return True

    def release(self, request: HTTPServerRequest) -> None:
        """Forget `request`, because its answer is written or its client is gone."""
        self._in_flight.discard(request)
        self._admitted.discard(request)
        if not self._in_flight:
            self._idle.set()

    async def drained(self, seconds: float) -> int:
        """Wait until no request is in flight, at most `seconds`; return how many still are."""
        deadline = time.monotonic() + seconds
        while self._in_flight and time.monotonic() < deadline:
            self._idle.clear()
            idle = asyncio.ensure_future(self._idle.wait())
            await asyncio.wait([idle], timeout=deadline - time.monotonic())
            idle.cancel()
        return len(self._in_flight)
