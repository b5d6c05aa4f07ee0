"""Token buckets: what they grant, to whom, and in how many round trips."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import RateLimited, ServerError, Unavailable
from ...limits import buckets
from ...limits.bucket import Level
from ...limits.buckets import RATE_LIMITS, give_back, take
from ...limits.rate import Rate
from ...mongo.connection import disconnect
from ...mongo.driver import mongodb
from ...mongo.transactions import in_transaction
from ..environment import DRIVER
from ..mongo.fail_point_test import FailPointTest
from ..mongo.lane_test import LaneTest
from ..mongo.round_trip_test import together
from .bucket_test import INTERVAL, SLOW, BucketTest, bucket, forget, granted, pass_time

ONCE = Rate(1, 3600)


class TakeTest(BucketTest):
    @gen_test
    async def test_as_many_as_the_rate_says(self) -> None:
        left = [(await take(bucket()))[0].remaining for _ in range(SLOW.count)]
        self.assertEqual(left, [*reversed(range(SLOW.count))])
        for _ in ("refused by MongoDB", "known to be empty"):
            with self.assertRaises(RateLimited) as raised:
                await take(bucket())
            error = raised.exception
            seconds = int(error.headers["Retry-After"])
            self.assertTrue(0 < seconds <= INTERVAL, seconds)
            policy = '"Test.take by user 10/hour"'
            self.assertEqual(error.headers["RateLimit-Policy"], f"{policy};q=10;w=3600")
            self.assertEqual(error.headers["RateLimit"], f"{policy};r=0;t={seconds}")
            reached = f"The limit 'Test.take by user 10/hour' is reached: try again in {seconds} s."
            self.assertEqual(error.message, reached)

    @gen_test
    async def test_each_value_has_its_own(self) -> None:
        await take(bucket(rate=ONCE))
        self.assertIsNone(await granted(bucket(rate=ONCE)))
        self.assertTrue(await granted(bucket("eve", ONCE)))

    @gen_test
    async def test_as_time_passes(self) -> None:
        while await granted(bucket()):
            pass
        for intervals in (1, 3):
            await pass_time(intervals * INTERVAL)
            for _ in range(intervals):
                self.assertTrue(await granted(bucket()))
            self.assertIsNone(await granted(bucket()))

    @gen_test
    async def test_never_more_than_full(self) -> None:
        await take(bucket())
        await pass_time(24 * 3600)
        (level,) = await take(bucket())
        self.assertEqual(level.remaining, SLOW.count - 1)

    @gen_test
    async def test_any_rate_grants_its_count(self) -> None:
        """Sums of an interval that no double holds exactly are rounded."""
        for rate in (Rate(7, 3600), Rate(3, 24 * 3600), Rate(100, 13 * 3600)):
            each = await together(*(granted(bucket(rate=rate)) for _ in range(rate.count + 5)))
            self.assertEqual(len([levels for levels in each if levels]), rate.count)

    @gen_test
    async def test_together(self) -> None:
        each = await together(*(granted(bucket()) for _ in range(50)))
        self.assertEqual(len([levels for levels in each if levels]), SLOW.count)

    @gen_test
    async def test_without_batches(self) -> None:
        with patch.object(mongodb, "max_batches_in_flight", 0):
            each = await together(*(granted(bucket()) for _ in range(30)))
        self.assertEqual(len([levels for levels in each if levels]), SLOW.count)

    @gen_test
    async def test_a_new_bucket_by_several_connections(self) -> None:
        """Each call has a command of its own, and they race to make the document."""
        with patch.object(mongodb, "max_batches_in_flight", 0):
            for name in map(str, range(5)):
                each = await together(*(granted(bucket(name)) for _ in range(10)))
                self.assertEqual(len([levels for levels in each if levels]), SLOW.count)

    @gen_test
    async def test_all_or_none(self) -> None:
        few, many = bucket("few", ONCE), bucket("many")
        self.assertEqual([level.remaining for level in await take(many, few)], [9, 0])
        for _ in ("refused by MongoDB", "known to be empty"):
            with self.assertRaises(RateLimited) as raised:
                await take(many, few)
            self.assertNotIn("10/hour", raised.exception.headers["RateLimit"])
        self.assertEqual((await take(many))[0].remaining, 8)

    @gen_test
    async def test_given_back(self) -> None:
        await give_back(bucket())
        for _ in range(3):
            (level,) = await take(bucket())
            self.assertEqual(level.remaining, 9)
            await give_back(bucket())

    @gen_test
    async def test_given_back_to_an_empty_bucket(self) -> None:
        await take(bucket(rate=ONCE))
        self.assertIsNone(await granted(bucket(rate=ONCE)))
        await give_back(bucket(rate=ONCE))
        self.assertTrue(await granted(bucket(rate=ONCE)))

    @gen_test
    async def test_given_back_by_another_process(self) -> None:
        """A bucket is known to be empty for a second at most."""
        await take(bucket(rate=ONCE))
        with patch.object(buckets, "_KNOWN_SECONDS", 0):
            self.assertIsNone(await granted(bucket(rate=ONCE)))
        await mongodb[RATE_LIMITS.name].delete_many({})
        self.assertTrue(await granted(bucket(rate=ONCE)))

    @gen_test
    async def test_a_transaction_that_is_undone(self) -> None:
        async def refused() -> None:
            await take(bucket(rate=ONCE))
            raise ServerError

        with self.assertRaises(ServerError):
            await in_transaction(refused)
        self.assertIsNone(await granted(bucket(rate=ONCE)))

    @gen_test
    async def test_a_clock_that_was_set_back(self) -> None:
        now = time.time() * 1000
        for windows, expected in ((1.5, False), (3, True)):
            await take(bucket())
            full_at = {"full_at_ms": now + windows * SLOW.window_ms}
            await mongodb[RATE_LIMITS.name].update_many({}, {"$set": full_at})
            self.assertEqual(bool(await granted(bucket())), expected)
            forget()
            await mongodb[RATE_LIMITS.name].delete_many({})

    @gen_test
    async def test_known_buckets_take_no_memory(self) -> None:
        few = [bucket(str(n), ONCE) for n in range(3)]
        await together(*map(granted, few))
        for known_seconds in (0, 60):
            forget()
            with (
                patch.object(buckets, "_MOST_KNOWN", 2),
                patch.object(buckets, "_KNOWN_SECONDS", known_seconds),
            ):
                for each in few:
                    self.assertIsNone(await granted(each))
            (opened,) = mongodb.opened.values()
            self.assertEqual(len(opened._empty), 1)

    def test_level(self) -> None:
        for spent, remaining, seconds in (
            (0, 10, 360),
            (1, 10, 360),  # a rounding
            (1000, 9, 1),
            (359_000, 9, 359),
            (3_600_000, 0, 360),
            (3_600_300, 0, 360),  # by the tolerance
            (4_600_000, 0, 1360),
            (-5, 10, 360),
        ):
            level = Level.of(bucket(), spent, granted=True)
            self.assertEqual((level.remaining, level.seconds), (remaining, seconds), spent)
        late = Level.of(bucket(), 0, granted=False)
        self.assertEqual((late.remaining, late.seconds), (0, 1))

    def test_no_database(self) -> None:
        self.run_async(disconnect())
        with self.assertRaises(Unavailable):
            self.run_async(take(bucket()))
        self.run_async(give_back(bucket()))
        self.run_async(self.connect())


class ExpiryTest(BucketTest):
    indexed = (RATE_LIMITS,)

    @gen_test
    async def test_mongodb_removes_full_buckets(self) -> None:
        await take(bucket())
        (stored,) = await RATE_LIMITS.find({})
        self.assertEqual(stored.keys(), {"_id", "full_at_ms", "expires_at"})
        late = stored["expires_at"].timestamp() * 1000 - stored["full_at_ms"]
        self.assertTrue(-0.01 <= late <= 1.01, late)  # the time is rounded to milliseconds
        indexes = await mongodb[RATE_LIMITS.name].index_information()
        self.assertEqual(indexes["expires_at_1"]["expireAfterSeconds"], 0)


class RoundTripsTest(LaneTest):
    @gen_test
    async def test_calls_at_the_same_time_share_them(self) -> None:
        with self.commands("update", "find") as sent:
            levels = await together(*(take(bucket(str(n))) for n in range(20)))
            self.assertEqual({each[0].remaining for each in levels}, {9})
        self.assertEqual([next(iter(each)) for each in sent], ["update", "find"])

    @gen_test
    async def test_a_lone_call_needs_one(self) -> None:
        with self.commands("update", "find", "findAndModify") as sent:
            (level,) = await take(bucket())
            self.assertEqual(level.remaining, 9)
        self.assertEqual([next(iter(each)) for each in sent], ["findAndModify"])

    @gen_test
    async def test_a_bucket_that_is_known_to_be_empty_needs_none(self) -> None:
        with patch.object(buckets, "_KNOWN_SECONDS", 60):
            await take(bucket(rate=ONCE))
            self.assertIsNone(await granted(bucket(rate=ONCE)))
            with self.commands("update", "find", "findAndModify") as sent:
                for _ in range(20):
                    self.assertIsNone(await granted(bucket("full"), bucket(rate=ONCE)))
        self.assertEqual(sent, [])

    @gen_test
    async def test_a_lost_answer(self) -> None:
        """The command is sent again, and may take a second token."""
        await take(bucket())
        self.proxy.cut_after = 2  # the command passes, and its answer does not
        (level,) = await take(bucket())
        self.assertIn(level.remaining, (7, 8))


class FaultsTest(FailPointTest):
    @gen_test
    async def test_an_error_goes_to_the_callers(self) -> None:
        for code, error in ((50, Unavailable), (13, ServerError)):
            async with self.failing("update", "findAndModify", errorCode=code):
                for callers in (1, 3):
                    results = await together(*(take(bucket(str(n))) for n in range(callers)))
                    self.assertEqual({type(result) for result in results}, {error})

    @gen_test
    async def test_an_error_of_one_statement(self) -> None:
        """A bucket that MongoDB's validator refuses, for example."""
        make = self.outside[self.database].create_collection
        await make(RATE_LIMITS.name, validator={"full_at_ms": "nothing"})
        for wanted in ([bucket()], [bucket(), bucket("eve")]):
            with self.assertRaises(ServerError):
                await take(*wanted)

    @gen_test
    async def test_a_cancelled_caller(self) -> None:
        caller = asyncio.ensure_future(take(bucket()))
        other = asyncio.ensure_future(take(bucket()))
        await asyncio.sleep(0)
        caller.cancel()
        (level,) = await other
        self.assertIn(level.remaining, (8, 9))


class DriverTest(BucketTest):
    """The same without lanes."""

    varies_with = (DRIVER,)
    settings: ClassVar[dict[str, Any]] = {**BucketTest.settings, "mongodb_lane": False}

    @gen_test
    async def test_valid(self) -> None:
        for callers in (1, 50):
            value = str(callers)
            each = await together(*(granted(bucket(value)) for _ in range(callers)))
            self.assertEqual(len([levels for levels in each if levels]), min(callers, SLOW.count))
            while await granted(bucket(value)):
                pass
            forget()
            self.assertIsNone(await granted(bucket(value)))


class DriverFaultsTest(FaultsTest):
    varies_with = (DRIVER,)
    settings: ClassVar[dict[str, Any]] = {**FaultsTest.settings, "mongodb_lane": False}
