"""`Renewed`: a value of another server, which may change there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

from ..tasks import start
from .error import ProviderUnavailable

T = TypeVar("T")


class Renewed(Generic[T]):
    """A value that `fetch` returns: fetched when first asked for, and again after `max_age`.

    All callers share one attempt. `pause` is the least time between two attempts. While attempts
    fail, the last value is used. Both times are in seconds.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], max_age: float = 3600, pause: float = 10
    ) -> None:
        self.max_age = max_age
        self.pause = pause
        self._fetch = fetch
        self._value: T | None = None
        self._fetched_at = self._tried_at = -math.inf
        self._attempt: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """Return the value. Raises `ProviderUnavailable` if there is none yet."""
        if monotonic() - self._fetched_at >= self.max_age:
            await self.renew()
        if self._value is None:
            raise ProviderUnavailable
        return self._value

    async def renew(self) -> None:
        """Fetch the value, unless the last attempt was less than `pause` ago."""
        if self._attempt is None:
            if monotonic() - self._tried_at < self.pause:
                return
            self._tried_at = monotonic()
            self._attempt = start(self._try())
        # A caller that gives up does not cancel the attempt of the others.
        await asyncio.shield(self._attempt)

    async def _try(self) -> None:
        try:
            with suppress(ProviderUnavailable):
                self._value = await self._fetch()
                self._fetched_at = monotonic()
        finally:
            self._attempt = None
