"""`JobTest`: a test with jobs of its own, and workers in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar
from unittest.mock import patch

from ...jobs.declared_job import Job
from ...jobs.job_document import JOBS, JobDocument
from ...jobs.worker import JobWorker
from ...mongo.clock import now
from ...mongo.driver import ObjectId, mongodb
from ..environment import DRIVER, LANE
from ..server_test import ServerTest

LEASE = 3600.0  # so long that no slow machine loses it


class JobTest(ServerTest):
    """A test that begins without jobs."""

    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE)
    indexed = (JOBS,)

    def setUp(self) -> None:
        self.enterContext(patch.dict(Job.declared, clear=True))
        super().setUp()

    @asynccontextmanager
    async def working(
        self, concurrency: int = 4, lease_seconds: float = LEASE
    ) -> AsyncIterator[JobWorker]:
        """Let a worker run jobs, which have ended afterwards."""
        worker = JobWorker(concurrency, lease_seconds)
        worker.start()
        try:
            yield worker
        finally:
            await worker.drain(60)

    async def all_done(self) -> None:
        """Wait until no job is left that is queued or runs."""
        await until(lambda: JOBS.find_one({"due_at": {"$ne": None}}), is_there=False)

    async def jobs(self) -> list[JobDocument]:
        return await JOBS.find({}, sort=[("_id", 1)])

    async def change(self, **fields: Any) -> None:
        """Set fields of all jobs, as another process would."""
        await mongodb[JOBS.name].update_many({}, {"$set": fields})


def document(name: str, **fields: Any) -> JobDocument:
    """Return a job that is due, with these fields."""
    made: JobDocument = {
        "_id": ObjectId(),
        "name": name,
        "arguments": {},
        "queued_at": now(),
        "due_at": now() - timedelta(minutes=1),
        "attempts": 0,
        "lease": None,
    }
    return {**made, **fields}  # type: ignore[typeddict-item]


async def until(condition: Callable[[], Any], *, is_there: bool = True) -> Any:
    """Wait until `condition`, or what it returns once awaited, is true, or not; return it."""
    async with asyncio.timeout(60):
        while True:
            value = condition()
            value = await value if asyncio.iscoroutine(value) else value
            if bool(value) == is_there:
                return value
            await asyncio.sleep(0.005)
