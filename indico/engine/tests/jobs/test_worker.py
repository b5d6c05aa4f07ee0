"""Jobs that run: by one worker each, again after a failure, elsewhere after a crash."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import Unavailable
from ...jobs import GiveUp, job, job_queue, worker
from ...jobs.job_document import JOBS, JobDocument, Outcome
from ...jobs.taken_job import TakenJob
from ...jobs.worker import JobWorker
from ...log import LOGGER, REQUEST
from ...mongo.clock import now
from ...mongo.connection import disconnect
from ...mongo.driver import ObjectId, mongodb
from ...mongo.operation import DEADLINE
from ...mongo.transactions import current_session, in_transaction
from ...telemetry.metrics import REGISTRY
from ..mongo.fail_point_test import FailPointTest
from .job_test import JobTest, document, until

AWAY = 50  # MaxTimeMSExpired: MongoDB did not answer in time


def stored(state: str) -> float | None:
    return REGISTRY.get_sample_value("jobs_stored", {"state": state})


def ended(name: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("jobs_ended_total", {"name": name, "outcome": outcome}) or 0


class RunTest(JobTest):
    @gen_test
    async def test_valid(self) -> None:
        runs: list[tuple[str, int]] = []

        @job()
        async def deliver(delivery_id: str, tries: int = 1) -> None:
            runs.append((delivery_id, tries))

        done = ended("deliver", "done")
        await deliver.later("4f2a")
        async with self.working():
            await deliver.later("4f2b", tries=2)
            await self.all_done()
        self.assertEqual(sorted(runs), [("4f2a", 1), ("4f2b", 2)])
        self.assertEqual(await self.jobs(), [])
        self.assertEqual(ended("deliver", "done"), done + 2)

    @gen_test
    async def test_its_log_and_context(self) -> None:
        seen: list[Any] = []

        @job(timeout_seconds=500)
        async def look() -> None:
            LOGGER.warning("looking")
            left = DEADLINE.get().at - asyncio.get_running_loop().time()
            seen.append((REQUEST.get(), current_session(), 400 < left <= 500))
            await look_again.later()

        @job()
        async def look_again() -> None:
            seen.append(REQUEST.get())

        ids = {"request_id": "of a request", "trace_id": "of a trace"}
        REQUEST.set(ids)
        job_id = await look.later()
        with self.assertLogs(LOGGER, "INFO") as logged:
            async with self.working():
                await self.all_done()
        self.assertEqual(seen, [(ids, None, True), ids])
        (line,) = [record for record in logged.records if "job look " in record.getMessage()]
        words = rf"job look {job_id}, attempt 1 of 8, done in \d+\.\d ms"
        self.assertRegex(line.getMessage(), words)
        fields = {"job": "look", "job_id": str(job_id), "attempt": 1}
        self.assertEqual(line.__dict__["fields"], fields)

    @gen_test
    async def test_without_a_request(self) -> None:
        seen: list[Any] = []

        @job()
        async def look() -> None:
            seen.append(REQUEST.get())

        job_id = await look.later()
        async with self.working():
            await self.all_done()
        self.assertEqual(seen, [{"request_id": str(job_id)}])

    @gen_test
    async def test_one_of_several_workers_runs_each(self) -> None:
        runs: Counter[int] = Counter()

        @job()
        async def count(number: int) -> None:
            runs[number] += 1
            await asyncio.sleep(0)

        await asyncio.gather(*(count.later(number) for number in range(60)))
        async with self.working(3), self.working(3), self.working(3):
            await self.all_done()
        self.assertEqual(runs, Counter(range(60)))

    @gen_test
    async def test_at_most_so_many_at_once(self) -> None:
        running: set[int] = set()
        most, go = 0, asyncio.Event()

        @job()
        async def hold(number: int) -> None:
            nonlocal most
            running.add(number)
            most = max(most, len(running))
            await go.wait()
            running.remove(number)

        for number in range(7):
            await hold.later(number)
        async with self.working(3):
            await until(lambda: len(running) == 3)
            go.set()
            await self.all_done()
        self.assertEqual(most, 3)

    @gen_test
    async def test_jobs_of_other_code_are_left(self) -> None:
        @job()
        async def known() -> None: ...

        others = [document("of newer code"), document("of older code", due_at=None)]
        for other in others:
            await JOBS.insert({**other})
        await known.later()
        async with self.working():
            await until(lambda: JOBS.exists({"name": "known"}), is_there=False)
        self.assertEqual(await self.jobs(), others)
        async with self.working():
            await until(lambda: (stored("queued"), stored("dead")) == (1, 1))

    @gen_test
    async def test_no_jobs_and_no_places(self) -> None:
        nothing = JobWorker(4, 30)
        nothing.start()
        await nothing.drain(1)

        @job()
        async def known() -> None: ...

        await known.later()
        async with self.working(0) as idle:
            self.assertEqual(idle._tasks, [])
        self.assertEqual(len(await self.jobs()), 1)


class WakeTest(JobTest, FailPointTest):
    """A worker that has nothing to do, and learns of a job; no poll comes."""

    def setUp(self) -> None:
        super().setUp()
        self.ran = asyncio.Event()
        self.enterContext(patch.object(worker, "POLL_SECONDS", 3600))
        looks = patch.object(job_queue, "find_next", wraps=job_queue.find_next)
        self.looks = self.enterContext(looks)

        @job()
        async def run() -> None:
            self.ran.set()

        self.run_job = run

    @asynccontextmanager
    async def idle(self, concurrency: int = 4) -> AsyncIterator[JobWorker]:
        """Yield a worker whose stream is open, after which it has looked once more."""
        async with self.working(concurrency) as working:
            await until(lambda: self.looks.call_count > 1)
            yield working

    @gen_test
    async def test_a_change_stream(self) -> None:
        """Nothing else tells of a job that is queued in a transaction."""
        async with self.idle():
            await in_transaction(self.run_job.later)
            await self.ran.wait()

    @gen_test
    async def test_a_job_that_is_free_again(self) -> None:
        later = now() + timedelta(days=1)
        await JOBS.insert(document("run", lease=ObjectId(), due_at=later))
        async with self.idle():
            await self.change(lease=None, due_at=now())
            await self.ran.wait()

    @gen_test
    async def test_its_time(self) -> None:
        async with self.idle():
            await self.run_job.later_in(0.1)
            await self.ran.wait()

    @gen_test
    async def test_a_poll_without_a_stream(self) -> None:
        no_replica_set = 40573
        async with self.failing("aggregate", errorCode=no_replica_set):
            with (
                patch.object(worker, "POLL_SECONDS", 0.01),
                self.assertLogs(LOGGER, "WARNING") as logged,
            ):
                async with self.working():
                    await until(lambda: "new jobs are found each 0.01 s" in str(logged.output))
                    await self.run_job.later()
                    await self.ran.wait()

    @gen_test
    async def test_the_stream_can_not_be_opened_at_first(self) -> None:
        with patch.object(worker, "_ERROR_SECONDS", 0.01):
            async with self.failing("ping", mode={"times": 1}, errorCode=AWAY), self.idle():
                await in_transaction(self.run_job.later)
                await self.ran.wait()

    @gen_test
    async def test_the_stream_is_left_while_all_places_are_taken(self) -> None:
        go = asyncio.Event()

        @job()
        async def hold() -> None:
            await go.wait()

        async with self.idle(1) as working:
            await hold.later()
            await until(lambda: not working._has_room.is_set())
            await self.run_job.later()
            await self.run_job.later()
            await until(lambda: working._has_room._waiters)  # the stream is left
            self.assertFalse(self.ran.is_set())
            go.set()
            await self.all_done()
        self.assertTrue(self.ran.is_set())


class FailureTest(JobTest):
    @gen_test
    async def test_again_until_it_is_dead(self) -> None:
        runs: list[str] = []

        @job(delays_seconds=[0, 0])
        async def fail(what: str) -> None:
            runs.append(what)
            raise KeyError(what)

        before = [ended("fail", outcome) for outcome in ("failed", "dead")]
        job_id = await fail.later("a thing")
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.working():
                await self.all_done()
        self.assertEqual(runs, ["a thing"] * 3)
        (dead,) = await self.jobs()
        self.assertEqual((dead["_id"], dead["attempts"], dead["lease"]), (job_id, 3, None))
        self.assertEqual(dead["error"], "KeyError: 'a thing'")
        self.assertLess(abs(now() - dead["failed_at"]), timedelta(minutes=10))
        after = [ended("fail", outcome) for outcome in ("failed", "dead")]
        self.assertEqual(after, [before[0] + 2, before[1] + 1])
        words = [f"attempt {n} of 3, failed, again in 0.0 s: KeyError" for n in (1, 2)]
        words.append("attempt 3 of 3, failed, and is dead")
        for line, wanted in zip(logged.output, words, strict=True):
            self.assertIn(f"job fail {job_id}, {wanted}", line)
            self.assertIn("raise KeyError(what)", line)

    @gen_test
    async def test_a_success_after_a_failure(self) -> None:
        runs: list[int] = []

        @job(delays_seconds=[0])
        async def recover() -> None:
            runs.append(1)
            if len(runs) == 1:
                raise Unavailable

        await recover.later()
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.working():
                await self.all_done()
        self.assertEqual((len(runs), await self.jobs()), (2, []))
        self.assertNotIn("Traceback", str(logged.output))

    @gen_test
    async def test_the_pause(self) -> None:
        @job(delays_seconds=[3600])
        async def fail() -> None:
            raise KeyError

        await fail.later()
        async with self.working():
            await until(lambda: JOBS.exists({"error": {"$exists": True}}))
        (waiting,) = await self.jobs()
        assert waiting["due_at"]
        self.assertGreater(waiting["due_at"], now() + timedelta(minutes=30))
        self.assertEqual((waiting["attempts"], waiting["error"]), (1, "KeyError"))

    @gen_test
    async def test_an_error_that_utf8_can_not_hold(self) -> None:
        """The job is recorded as dead, and no step fails again and again."""

        @job(attempts=1)
        async def fail() -> None:
            raise ValueError("no file caf\udce9")  # as the name of a file in Latin-1 is read

        await fail.later()
        async with self.working():
            await self.all_done()
        (dead,) = await self.jobs()
        self.assertEqual(dead["error"], r"ValueError: no file caf\udce9")

    @gen_test
    async def test_an_error_without_a_text(self) -> None:
        """The attempt counts, so that the job does not run without end."""

        class Mute(Exception):
            def __str__(self) -> str:
                raise KeyError("text")

        @job(delays_seconds=[0])
        async def fail() -> None:
            raise Mute

        await fail.later()
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.working():
                await self.all_done()
        (dead,) = await self.jobs()
        self.assertEqual((dead["attempts"], dead["error"]), (2, "Mute"))
        self.assertIn("failed, and is dead: Mute", logged.output[-1])

    @gen_test
    async def test_other_ends(self) -> None:
        @job()
        async def give_up() -> None:
            raise GiveUp("nobody is there")

        @job(attempts=1, timeout_seconds=0.01)
        async def take_too_long() -> None:
            await asyncio.sleep(3600)

        @job(attempts=1)
        async def time_out() -> None:
            raise TimeoutError("another time")

        @job(attempts=1)
        async def cancel_itself() -> None:
            raise asyncio.CancelledError

        @job(attempts=1)
        async def wrong_arguments() -> None: ...

        @job(attempts=1)
        async def say_much() -> None:
            raise KeyError("x" * 5000)

        for one in (give_up, take_too_long, time_out, cancel_itself, say_much):
            await one.later()
        await JOBS.insert(document("wrong_arguments", arguments={"of": "other code"}))
        await JOBS.insert(document("give_up", attempts=8))
        async with self.working(8):
            await self.all_done()
        errors = {(dead["name"], dead["attempts"]): dead["error"] for dead in await self.jobs()}
        self.assertEqual(len(errors.pop(("say_much", 1))), 1000)
        self.assertIn("unexpected keyword argument 'of'", errors.pop(("wrong_arguments", 1)))
        self.assertEqual(
            errors,
            {
                ("give_up", 1): "GiveUp: nobody is there",
                ("take_too_long", 1): "It took over 0.01 s.",
                ("time_out", 1): "TimeoutError: another time",
                ("cancel_itself", 1): "CancelledError",
                ("give_up", 9): "Each worker that ran it ended, or lost its lease.",
            },
        )


class LeaseTest(JobTest):
    """`self.hold` runs until `self.go` is set; `self.ends` has how each run ended."""

    def setUp(self) -> None:
        super().setUp()
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.ends: list[str] = []

        @job()
        async def hold() -> None:
            self.begun.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.ends.append("cancelled")
                raise
            self.ends.append("done")

        self.hold = hold

    async def job(self) -> JobDocument:
        (found,) = await self.jobs()
        return found

    @gen_test
    async def test_a_long_job_keeps_it(self) -> None:
        await self.hold.later()
        self.enterContext(patch.object(worker, "RENEWALS", 360_000))
        async with self.working(), self.working():
            await self.begun.wait()
            first = await self.job()
            query = {"due_at": {"$gt": first["due_at"]}, "lease": first["lease"], "attempts": 1}
            await until(lambda: JOBS.exists(query))
            self.go.set()
            await self.all_done()
        self.assertEqual(self.ends, ["done"])

    @gen_test
    async def test_another_worker_has_it_by_now(self) -> None:
        await self.hold.later()
        self.enterContext(patch.object(worker, "RENEWALS", 360_000))
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.working():
                await self.begun.wait()
                await self.change(lease=ObjectId())
                taken = await self.job()
                await until(lambda: self.ends)
        self.assertEqual((self.ends, await self.jobs()), (["cancelled"], [taken]))
        self.assertIn("lost its lease, and may run elsewhere", logged.output[0])

    @gen_test
    async def test_it_is_renewed_while_the_job_ends(self) -> None:
        taken = TakenJob(document("hold"), self.hold, math.inf)
        self.go.set()
        self.assertEqual(await taken.attempt(), Outcome("done"))
        taken.hold(math.inf)

    @gen_test
    async def test_it_is_lost_before_the_job_begins(self) -> None:
        taken = TakenJob(document("hold"), self.hold, math.inf)
        taken.hold(0)
        with self.assertLogs(LOGGER, "WARNING"):
            self.assertIsNone(await taken.attempt())
        taken.hold(math.inf)  # which changes nothing any more
        self.assertEqual(self.ends, ["cancelled"])

    @gen_test
    async def test_it_can_not_be_renewed(self) -> None:
        """The job ends before another worker may take it."""
        await self.hold.later()
        with self.assertLogs(LOGGER, "WARNING"):
            async with self.working(lease_seconds=1):
                await self.begun.wait()
                refusal = {"validator": {"due_at": None}, "validationLevel": "strict"}
                await mongodb.command("collMod", JOBS.name, **refusal)
                await until(lambda: self.ends)
        self.assertEqual(self.ends[0], "cancelled")
        self.assertIsNotNone((await self.job())["lease"])

    @gen_test
    async def test_a_worker_is_killed(self) -> None:
        """The job runs elsewhere once the lease is over."""
        await self.hold.later()
        killed = JobWorker(4, 0.5)
        killed.start()
        await self.begun.wait()
        for task in (*killed._tasks, *(task for _, task in killed._running.values())):
            task.cancel()
        await until(lambda: self.ends)
        self.go.set()
        async with self.working():
            await self.all_done()
        self.assertEqual(self.ends[-1], "done")

    @gen_test
    async def test_drain_waits(self) -> None:
        await self.hold.later()
        working = JobWorker(4, 3600)
        working.start()
        await self.begun.wait()
        draining = asyncio.create_task(working.drain(60))
        await until(lambda: working._draining)
        self.assertFalse(draining.done())
        self.go.set()
        await draining
        self.assertEqual((self.ends, await self.jobs()), (["done"], []))
        await self.hold.later()
        self.assertEqual(len(await self.jobs()), 1)

    @gen_test
    async def test_drain_releases_what_does_not_end(self) -> None:
        job_id = await self.hold.later()
        working = JobWorker(4, 3600)
        working.start()
        await self.begun.wait()
        with self.assertLogs(LOGGER, "WARNING") as logged:
            await working.drain(0.01)
        self.assertIn("1 jobs did not end within 0.01 s: others run them", logged.output[0])
        released = await self.job()
        self.assertEqual((released["_id"], released["attempts"]), (job_id, 0))
        self.assertEqual((self.ends, released["lease"]), (["cancelled"], None))
        self.go.set()
        async with self.working():
            await self.all_done()
        self.assertEqual(self.ends, ["cancelled", "done"])


class MongoDBTest(JobTest, FailPointTest):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(patch.object(worker, "_ERROR_SECONDS", 0.01))
        self.runs = 0

        @job()
        async def run() -> None:
            self.runs += 1

        self.run_job = run

    @gen_test
    async def test_it_is_away_when_a_job_has_ended(self) -> None:
        """The job is recorded later, and runs once."""
        await self.run_job.later()
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.failing("delete", mode={"times": 4}, errorCode=AWAY), self.working():
                await self.all_done()
        self.assertIn("jobs wait for MongoDB", str(logged.output))
        self.assertEqual((self.runs, await self.jobs()), (1, []))

    @gen_test
    async def test_it_is_away_when_a_job_is_taken(self) -> None:
        """MongoDB has made the change. The job keeps its only attempt, and runs at once."""

        @job(attempts=1)
        async def run_once() -> None:
            self.runs += 1

        await run_once.later()
        late = {"code": 64, "errmsg": "waiting for replication timed out"}
        with self.assertLogs(LOGGER, "WARNING") as logged:
            failing = self.failing("update", mode={"times": 1}, writeConcernError=late)
            async with failing, self.working():
                await self.all_done()
        self.assertIn("jobs wait for MongoDB", str(logged.output))
        self.assertEqual((self.runs, await self.jobs()), (1, []))

    @gen_test
    async def test_it_is_away_at_first(self) -> None:
        @job(every="1 day")
        async def run_daily() -> None:
            self.runs += 10

        await self.run_job.later()
        await disconnect()
        with self.assertLogs(LOGGER, "WARNING") as logged:
            async with self.working():
                await until(lambda: str(logged.output).count("jobs wait for MongoDB") > 9)
                await self.connect()
                await until(lambda: self.runs == 11)

    @gen_test
    async def test_a_fault_in_a_step(self) -> None:
        """The worker goes on."""
        await self.run_job.later()
        self.enterContext(patch.object(job_queue, "count", side_effect=KeyError("a fault")))
        with self.assertLogs(LOGGER, "ERROR") as logged:
            async with self.working():
                await until(lambda: logged.output)
                await self.all_done()
        self.assertIn("a step of the jobs failed", logged.output[0])
        self.assertEqual(self.runs, 1)
