"""The lock of the migrations, for a short time that is renewed: so a crash gives the lock back."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

from ..error import APIError, StartError
from ..mongo.driver import Database
from ..progress import Progress
from .folder import Migration
from .journal import Journal, State, read_state

LEASE_SECONDS: float = 30
LEASE = "lease"  # the name of the task that renews it
RENEWALS = 6  # in the time of a lease
_LOOK_SECONDS = 0.2


class LostLock(StartError):
    """Another process may have the lock by now."""

    def __init__(self) -> None:
        super().__init__(
            "The lock of the migrations was lost, because this process could not renew it in "
            "time. What the last migration changed stays. Run the command again."
        )


class Lease:
    """The lock, as this process holds it; `state` is what the journal held when it was taken."""

    def __init__(
        self, journal: Journal, state: State, seconds: float, limit: asyncio.Timeout
    ) -> None:
        self.state = state
        self._journal = journal
        self._seconds = seconds
        self._limit = limit

    async def renew(self) -> None:
        """Hold the lock for another time. Raises `LostLock`."""
        now = asyncio.get_running_loop().time()
        await _or_lost(self._journal.renew(self._seconds))
        if self._limit.expired():
            raise LostLock
        self._limit.reschedule(now + self._seconds)

    async def record(self, migration: Migration, seconds: float | None) -> None:
        """Record that a migration was applied, or undone if `seconds` is None.

        Raises `LostLock`.
        """
        if seconds is None:
            await _or_lost(self._journal.remove(migration))
        else:
            await _or_lost(self._journal.add(migration, seconds))

    async def keep(self) -> None:
        """Renew the lease until the lock is lost, which ends the work at once."""
        with suppress(LostLock):
            while True:
                await asyncio.sleep(self._seconds / RENEWALS)
                with suppress(APIError):  # the lease still runs, so another renewal may succeed
                    await self.renew()
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def hold(
    database: Database, progress: Progress, seconds: float = LEASE_SECONDS
) -> AsyncIterator[Lease]:
    """Wait for the lock, and hold it during the work. Raises `LostLock`, and cancels the work."""
    journal = Journal(
        database, secrets.token_hex(8), f"process {os.getpid()} on {socket.gethostname()}"
    )
    state, until = await _taken(journal, database, progress, seconds)
    try:
        async with asyncio.timeout_at(until) as limit:
            lease = Lease(journal, state, seconds, limit)
            renewing = asyncio.create_task(lease.keep(), name=LEASE)
            try:
                yield lease
            finally:
                renewing.cancel()
                await asyncio.wait([renewing])
    except TimeoutError:
        if limit.expired():
            raise LostLock from None
        raise
    finally:
        with suppress(APIError):
            await journal.release()


async def _taken(
    journal: Journal, database: Database, progress: Progress, seconds: float
) -> tuple[State, float]:
    """Wait for the lock; return the state, and when the lease ends by the clock of the loop."""
    loop = asyncio.get_running_loop()
    known = ""
    while True:
        now = loop.time()
        if state := await journal.lock(seconds):
            return state, now + seconds
        holder = (await read_state(database)).holder
        if holder not in ("", known):
            progress.say(f"waiting for the migrations of {holder}")
            known = holder
        await asyncio.sleep(min(_LOOK_SECONDS, seconds / RENEWALS))


async def _or_lost(write: Awaitable[bool]) -> None:
    if not await write:
        raise LostLock
