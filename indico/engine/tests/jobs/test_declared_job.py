"""The functions that can be jobs, the pauses between attempts, and how calls are queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from tornado.testing import gen_test

from ...jobs import Job, job
from ...jobs.job_document import EARLY, JOBS
from ...log import REQUEST
from ...mongo.clock import now
from ...mongo.driver import mongodb
from ...mongo.transactions import in_transaction
from .job_test import JobTest


class DeclarationTest(TestCase):
    def setUp(self) -> None:
        self.enterContext(patch.dict(Job.declared, clear=True))

    def refused(self, function: Any, words: str, **options: Any) -> None:
        with self.assertRaisesRegex(TypeError, words):
            job(**options)(function)
        self.assertEqual(Job.declared, {})

    def test_functions_that_can_be_no_job(self) -> None:
        def plain() -> None: ...
        async def several(*ids: int) -> None: ...
        async def any_names(**ids: int) -> None: ...
        async def nameless(id: int, /) -> None: ...
        async def needs_one(id: int) -> None: ...

        self.refused(plain, "plain can't be a job: write it as async def")
        for function, parameter in ((several, "ids"), (any_names, "ids"), (nameless, "id")):
            self.refused(function, f"its parameter {parameter}: arguments are stored by name")
        self.refused(needs_one, "parameter id has no default", every="1 day")

    def test_wrong_options(self) -> None:
        with self.assertRaisesRegex(ValueError, "an attempt at least"):
            job(attempts=0)
        for every in ("day", "0 days", "1 month", "1.5 hours", "1 day "):
            with self.assertRaisesRegex(ValueError, 'one of seconds, .* "12 hours"'):
                job(every=every)

    def test_names(self) -> None:
        async def deliver() -> None: ...

        @job(name="another")
        async def renamed() -> None:
            """Do it."""

        first = job()(deliver)
        self.assertEqual(Job.declared, {"deliver": first, "another": renamed})
        self.assertEqual(renamed.__doc__, "Do it.")
        again = job()(deliver)  # its module is imported anew
        self.assertIs(Job.declared["deliver"], again)
        with self.assertRaisesRegex(TypeError, "Two jobs are called deliver: .*renamed.*name="):
            job(name="deliver")(renamed.__wrapped__)  # type: ignore[attr-defined]

    def test_periods(self) -> None:
        seconds = {"1 second": 1, "30 minutes": 1800, "12 hours": 43200, "1 day": 86400}
        for every, period in {**seconds, "2 weeks": 1209600}.items():

            async def run() -> None: ...

            self.assertEqual(job(every=every, name=every)(run).period, period)

    def test_pauses(self) -> None:
        async def one() -> None: ...

        grows, given = job()(one), job(delays_seconds=[5, 300], name="two")(one)
        self.assertEqual((grows.attempts, given.attempts), (8, 3))
        for made, pauses in ((grows, [2, 8, 32, 128, 512, 2048, 8192]), (given, [5, 300, 300])):
            for attempt, pause in enumerate(pauses, 1):
                seen = [made.pause(attempt) for _ in range(20)]
                self.assertGreaterEqual(min(seen), pause * 0.8)
                self.assertLessEqual(max(seen), pause * 1.2)
                self.assertGreater(len(set(seen)), 1)
        self.assertLessEqual(job(attempts=99, name="long")(one).pause(98), 24 * 3600 * 1.2)

    def test_a_usual_call(self) -> None:
        @job()
        async def add(left: int, right: int = 1) -> int:
            return left + right

        self.assertEqual(asyncio.run(add(1, right=2)), 3)


class LaterTest(JobTest):
    def setUp(self) -> None:
        super().setUp()

        @job()
        async def deliver(delivery_id: str, tries: int = 1) -> None: ...

        self.deliver = deliver

    @gen_test
    async def test_valid(self) -> None:
        before = now()
        job_id = await self.deliver.later("4f2a")
        (queued,) = await self.jobs()
        self.assertEqual((queued["_id"], queued["name"]), (job_id, "deliver"))
        self.assertEqual(queued["arguments"], {"delivery_id": "4f2a"})
        self.assertEqual((queued["attempts"], queued["lease"]), (0, None))
        self.assertNotIn("request", queued)
        self.assertTrue(before <= queued["queued_at"] <= now())
        self.assertEqual(queued["due_at"], queued["queued_at"] - EARLY)

    @gen_test
    async def test_in_some_time(self) -> None:
        await self.deliver.later_in(90, "4f2a", tries=2)
        (queued,) = await self.jobs()
        self.assertEqual(queued["due_at"], queued["queued_at"] + timedelta(seconds=90))
        self.assertEqual(queued["arguments"], {"delivery_id": "4f2a", "tries": 2})

    @gen_test
    async def test_the_request_that_queued_it(self) -> None:
        REQUEST.set({"request_id": "a", "trace_id": "b"})
        await self.deliver.later("4f2a")
        (queued,) = await self.jobs()
        self.assertEqual(queued["request"], {"request_id": "a", "trace_id": "b"})

    @gen_test
    async def test_wrong_arguments(self) -> None:
        wrong: Any = self.deliver
        wrong_calls: list[tuple[Callable[[], Any], str]] = [
            (lambda: wrong.later(), "missing a required argument: 'delivery_id'"),
            (lambda: wrong.later("4f2a", 2, 3), "too many positional arguments"),
            (lambda: wrong.later("4f2a", try_s=3), "unexpected keyword argument 'try_s'"),
            (
                lambda: wrong.later({1, 2}),
                "The job deliver can't be queued: MongoDB can't hold the set in delivery_id. ",
            ),
            (lambda: wrong.later_in(1, {"a": [object()]}), "the object in delivery_id.a.0"),
        ]
        for call, words in wrong_calls:
            with self.assertRaisesRegex(TypeError, words):
                await call()
        self.assertEqual(await self.jobs(), [])

    @gen_test
    async def test_a_transaction_that_is_kept(self) -> None:
        async def work() -> int:
            await self.deliver.later("4f2a")
            await self.deliver.later_in(5, "4f2b")
            seen_by_others: int = await mongodb[JOBS.name].count_documents({})
            return seen_by_others

        self.assertEqual(await in_transaction(work), 0)
        self.assertEqual(len(await self.jobs()), 2)

    @gen_test
    async def test_a_transaction_that_is_undone(self) -> None:
        async def work() -> None:
            await self.deliver.later("4f2a")
            raise KeyError

        with self.assertRaises(KeyError):
            await in_transaction(work)
        self.assertEqual(await self.jobs(), [])
