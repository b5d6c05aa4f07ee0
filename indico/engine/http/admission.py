"""Admission: which requests a process takes, and when all of them are answered."""

from __future__ import annotations

import asyncio
import time

from tornado.httputil import HTTPServerRequest

from .admission_window import AdmissionWindow

# Load balancers and monitoring ask these paths, and need an answer most under overload.
ALWAYS_ADMITTED = frozenset({"/healthz", "/readyz", "/metrics"})


class Admission:
    """The requests in flight, of which `limit` at most are admitted to their handlers.

    A request is in flight from its head on. It is admitted when its body is complete, because a
    body may be long on its way. `window` says how many are admitted at a time. The bodies of all
    requests in flight take `body_bytes` at most. `admitted` counts since the start of the process.
    """

    admitted = 0

    def __init__(self, limit: int, body_bytes: int, window: AdmissionWindow) -> None:
        self._limit = limit
        self._window = window
        self._free_bytes = body_bytes
        self._held: dict[object, int] = {}  # bytes of the body of a request, or of a line
        self._in_flight: set[HTTPServerRequest] = set()
        self._admitted: set[HTTPServerRequest] = set()
        self._idle = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def is_full(self) -> bool:
        """Return whether the next request is one too many."""
        return self._window.left <= 0 or len(self._admitted) >= self._limit

    def enter(self, request: HTTPServerRequest) -> None:
        self._in_flight.add(request)

    def admit(self, request: HTTPServerRequest) -> bool:
        """Admit `request` to its handler; return False if it is one too many."""
        if request.path in ALWAYS_ADMITTED:  # takes nobody's place
            return True
        if self.is_full():
            return False
        self._window.take()
        self._admitted.add(request)
        self.admitted += 1
        return True

    def hold(self, holder: object, size: int) -> bool:
        """Count `size` bytes for `holder`; count none and return False if these are too many."""
        self.let_go(holder)
        if size > self._free_bytes:
            return False
        self._free_bytes -= size
        self._held[holder] = size
        return True

    def let_go(self, holder: object) -> None:
        """Count no byte for `holder`, which is the request of a body, or a line."""
        self._free_bytes += self._held.pop(holder, 0)

    def release(self, request: HTTPServerRequest) -> None:
        """Forget `request`, because its answer is written or its client is gone."""
        self._in_flight.discard(request)
        self._admitted.discard(request)
        self.let_go(request)
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
