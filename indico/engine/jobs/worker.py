"""`JobWorker`: takes jobs and runs them, in a process that serves or in one of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from functools import partial

from ..error import APIError, ServerError
from ..log import LOGGER
from ..mongo.clock import now
from ..telemetry import metrics
from . import job_queue
from .declared_job import Job
from .job_document import JOBS, JobDocument, JobId, Outcome
from .taken_job import TakenJob

__all__ = ["JobWorker"]

POLL_SECONDS = 5.0
RENEWALS = 6  # in the time of a lease
# Workers that look at the same time choose among so many times the jobs that they can run.
_SPREAD = 4
_CONTENDED_SECONDS = 0.05
_ERROR_SECONDS = 1.0
_RELEASE_SECONDS = 2.0
_NO_STREAM_SECONDS = 60.0


class JobWorker:
    """The jobs of this process: at most `concurrency` at once, each with a lease.

    A step records the jobs that have ended, and takes others for the places that are free. It
    comes when a job ends or is queued, when the next job is due, and each `POLL_SECONDS`.
    """

    def __init__(self, concurrency: int, lease_seconds: float) -> None:
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._running: dict[JobId, tuple[TakenJob, asyncio.Task[None]]] = {}
        self._ended: list[tuple[JobDocument, Outcome]] = []
        self._taker = job_queue.Taker()
        self._wake = asyncio.Event()
        self._has_room = asyncio.Event()
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work, in tasks of its own; do nothing if there are no jobs, or no places."""
        if not (self._concurrency and Job.declared):
            return
        self._tasks = [
            asyncio.create_task(work())
            for work in (self._work, self._watch, self._keep_leases, _declare_schedules)
        ]

    async def drain(self, seconds: float) -> None:
        """Take no job any more, let the running ones end, and release what is left."""
        self._draining = True
        self._wake.set()
        if not self._tasks:
            return
        working = self._tasks[:1]
        await asyncio.wait(working, timeout=seconds)
        if left := [task for _, task in self._running.values()]:
            LOGGER.warning("%s jobs did not end within %g s: others run them", len(left), seconds)
            for task in left:
                task.cancel()
            await asyncio.wait(working, timeout=_RELEASE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            record, take = _guarded(self._record), _guarded(self._take)
            pause = min(await asyncio.gather(record, take))
            if self._draining and not (self._running or self._ended or self._taker.unknown):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _record(self) -> float:
        """Record what became of the jobs that have ended; return the seconds until the next step.

        Without an answer of MongoDB, they are recorded by a later step.
        """
        ended, self._ended = self._ended, []
        try:
            await job_queue.record(ended)
        except BaseException:
            self._ended += ended
            raise
        return POLL_SECONDS

    async def _take(self) -> float:
        """Take jobs for the free places; return the seconds until the next step."""
        await self._taker.give_back()
        free = 0 if self._draining else self._concurrency - len(self._running)
        if not free:
            return POLL_SECONDS
        found = await job_queue.find_next(Job.declared, _SPREAD * free)
        time, began = now(), asyncio.get_running_loop().time()
        due = [each.id for each in found if each.at <= time and each.id not in self._running]
        chosen = random.sample(due, min(free, len(due)))
        taken = await self._taker.take(chosen, self._lease_seconds) if chosen else []
        for document in taken:
            self._start(document, began + self._lease_seconds)
        if len(taken) == free:
            self._has_room.clear()
            return POLL_SECONDS
        self._has_room.set()
        if len(due) > len(taken):  # another worker was quicker
            return random.uniform(0, _CONTENDED_SECONDS)  # noqa: S311
        waits = [(each.at - time).total_seconds() for each in found if each.at > time]
        return min([POLL_SECONDS, *waits])

    def _start(self, document: JobDocument, until: float) -> None:
        taken = TakenJob(document, Job.declared[document["name"]], until)
        # A context of its own, because the job belongs to no request and no transaction.
        running = asyncio.create_task(self._run(taken), context=Context())
        self._running[document["_id"]] = taken, running
        metrics.JOBS_RUNNING.inc()

    async def _run(self, taken: TakenJob) -> None:
        document = taken.document
        outcome: Outcome | None = None  # after a fault of the engine the lease runs out
        try:
            outcome = await taken.attempt()
        except asyncio.CancelledError:
            outcome = Outcome("released")
            raise
        finally:
            del self._running[document["_id"]]
            metrics.JOBS_RUNNING.dec()
            self._ended += [(document, outcome)] if outcome else []
            self._wake.set()

    async def _keep_leases(self) -> None:
        """Renew the leases of the running jobs, and end the jobs whose lease is lost."""
        while True:
            await _guarded(self._renew)
            await _guarded(_count)
            await asyncio.sleep(self._lease_seconds / RENEWALS)

    async def _renew(self) -> None:
        if not (running := [taken for taken, _ in self._running.values()]):
            return
        began = asyncio.get_running_loop().time()
        documents = [taken.document for taken in running]
        held = await job_queue.renew(documents, self._lease_seconds)
        for taken in running:
            kept = taken.document["_id"] in held
            taken.hold(began + self._lease_seconds if kept else began)

    async def _watch(self) -> None:
        """Wake at each job that another task or process has queued.

        While all places are taken, nobody reads the news. So a long queue costs no worker time.
        """
        while True:
            await self._has_room.wait()
            try:
                async with JOBS.watch(*job_queue.NEWS) as news:
                    self._wake.set()  # for what came before the stream was open
                    async for _ in news:
                        self._wake.set()
                        if not self._has_room.is_set():
                            break
            except ServerError as error:
                LOGGER.warning("new jobs are found each %g s only: %s", POLL_SECONDS, error)
                await asyncio.sleep(_NO_STREAM_SECONDS)
            except APIError:
                await asyncio.sleep(_ERROR_SECONDS)


async def _count() -> None:
    total, dead = await job_queue.count()
    metrics.JOBS_STORED.labels("queued").set(max(0, total - dead))
    metrics.JOBS_STORED.labels("dead").set(dead)


async def _declare_schedules() -> None:
    for made in Job.declared.values():
        if made.period:
            declare = partial(job_queue.declare_schedule, made.name, made.period)
            while pause := await _guarded(declare):
                await asyncio.sleep(pause)


async def _guarded(work: Callable[[], Awaitable[float | None]]) -> float:
    """Return the pause that `work` returns; after an error, log it, and return a pause."""
    try:
        return await work() or 0
    except APIError as error:
        LOGGER.warning("jobs wait for MongoDB: %s", error)
    except Exception as error:  # a worker that ended would leave all jobs waiting
        LOGGER.error("a step of the jobs failed", exc_info=error)
    return _ERROR_SECONDS
