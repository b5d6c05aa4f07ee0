"""Jobs that run once in each period, across all workers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from tornado.testing import gen_test

from ...jobs import GiveUp, Job, job, job_queue
from ...jobs.job_document import JOBS, JobDocument, Outcome
from ...log import LOGGER
from ...mongo.clock import now
from .job_test import JobTest, document, until

DAY = timedelta(days=1)


class ScheduleTest(JobTest):
    """`self.runs` counts the runs of the schedule `clean_up`."""

    def setUp(self) -> None:
        super().setUp()
        self.runs = 0

        @job(every="1 day")
        async def clean_up() -> None:
            self.runs += 1

    async def schedule(self) -> JobDocument:
        found = await JOBS.find_by_id("clean_up")
        assert found
        return found

    async def planned(self) -> JobDocument:
        """Return the schedule once its next run is planned."""
        query = {"_id": "clean_up", "lease": None, "planned_at": {"$gt": now()}}
        await until(lambda: JOBS.exists(query))
        return await self.schedule()

    @gen_test
    async def test_once_across_all_workers(self) -> None:
        before = now()
        async with self.working(), self.working(), self.working():
            planned = await self.planned()
        self.assertEqual((self.runs, planned["attempts"]), (1, 0))
        self.assertEqual(planned["due_at"], planned["planned_at"])
        self.assertLess(abs(planned["planned_at"] - before - DAY), timedelta(minutes=5))
        async with self.working(), self.working():  # as after a deployment
            await job_queue.declare_schedule("clean_up", DAY.total_seconds())
        self.assertEqual((self.runs, await self.jobs()), (1, [planned]))

    @gen_test
    async def test_runs_that_were_missed(self) -> None:
        """One run follows, and the time of day stays."""
        planned_at = now() - 3.5 * DAY
        stored = document("clean_up", _id="clean_up", planned_at=planned_at, due_at=planned_at)
        await JOBS.insert({**stored})
        async with self.working():
            planned = await self.planned()
        self.assertEqual((self.runs, planned["planned_at"]), (1, planned_at + 4 * DAY))

    @gen_test
    async def test_declared_at_the_same_time(self) -> None:
        declare = job_queue.declare_schedule
        await asyncio.gather(*(declare("clean_up", 60) for _ in range(8)))
        self.assertEqual(len(await self.jobs()), 1)

    @gen_test
    async def test_a_shorter_period(self) -> None:
        planned_at = now() + 7 * DAY
        stored = document("clean_up", _id="clean_up", planned_at=planned_at, due_at=planned_at)
        await JOBS.insert(stored)
        await job_queue.declare_schedule("clean_up", DAY.total_seconds())
        found = await self.schedule()
        self.assertLess(abs(found["planned_at"] - now() - DAY), timedelta(minutes=5))
        self.assertEqual(found["due_at"], found["planned_at"])

    @gen_test
    async def test_no_schedule_any_more(self) -> None:
        """Newer code has made a usual job of it."""
        del Job.declared["clean_up"]
        runs = []

        @job(name="clean_up")
        async def run_once() -> None:
            runs.append(1)

        stored = document("clean_up", _id="clean_up", planned_at=now())
        await JOBS.insert(stored)
        async with self.working():
            await self.all_done()
        self.assertEqual((runs, await self.jobs()), ([1], []))

    async def run_failing(self, error: Exception, **options: Any) -> list[JobDocument]:
        """Run a schedule that raises `error`, until its next run is planned."""

        @job(every="1 day", **options)
        async def fail() -> None:
            raise error

        query = {"_id": "fail", "planned_at": {"$gt": now()}}
        with self.assertLogs(LOGGER, "WARNING"):
            async with self.working():
                await until(lambda: JOBS.exists(query))
        return await JOBS.find({"name": "fail"}, sort=[("due_at", 1)])

    @gen_test
    async def test_a_run_that_is_dead(self) -> None:
        """The run is kept to be looked at, and the schedule goes on."""
        dead, planned = await self.run_failing(GiveUp("no disk"))
        self.assertEqual((dead["due_at"], dead["error"]), (None, "GiveUp: no disk"))
        self.assertEqual((dead["attempts"], planned["attempts"]), (1, 0))
        self.assertNotIn("planned_at", dead)
        self.assertNotIn("error", planned)

    @gen_test
    async def test_a_run_that_is_repeated(self) -> None:
        dead, planned = await self.run_failing(KeyError(), delays_seconds=[0, 0])
        self.assertEqual((dead["attempts"], planned["_id"]), (3, "fail"))

    @gen_test
    async def test_recorded_twice(self) -> None:
        """MongoDB did not answer the first time."""
        stored = document("clean_up", _id="clean_up", planned_at=now())
        await JOBS.insert(stored)
        (taken,) = await job_queue.Taker().take(["clean_up"], 60)
        for _ in range(2):
            await job_queue.record([(taken, Outcome("dead", "an error", period=60))])
        names = sorted(str(each["_id"]) for each in await self.jobs())
        self.assertEqual(names, ["clean_up", f"clean_up-{taken['lease']}"])
