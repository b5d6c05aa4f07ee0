"""Commands on lanes: what they share, how they are sent again, and when they time out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from struct import Struct
from typing import Any, cast
from unittest.mock import Mock, patch

from pymongo import AsyncMongoClient
from tornado.testing import gen_test

from ...error import Conflict, DeadlineExceeded, ServerError, Unavailable
from ...mongo import connection as db
from ...mongo import lane_pool
from ...mongo.command import Sessions
from ...mongo.delay import delay
from ...mongo.driver import mongodb
from ...mongo.lane import Lane, Taken, taken
from ...mongo.operation import DEADLINE, Deadline
from ...mongo.waiting import FEW
from .fail_point_test import FailPointTest, timeout
from .lane_test import LaneTest
from .round_trip_test import eventually, together

Call = Callable[[], Awaitable[Any]]
WRITES = ("insert", "update", "delete", "findAndModify")


class InFlightTest(LaneTest):
    @gen_test
    async def test_reads_are_sent_before_others_are_answered(self) -> None:
        mongodb.max_batches_in_flight = 40
        while len(self.lanes.reads._lanes) < 4:
            self.lanes.reads._grow()
            await asyncio.sleep(0.002)
        async with self.frozen_answers():
            asked = self.proxy.requests.messages
            finding = []
            for n in range(40):
                finding.append(asyncio.ensure_future(self.things.find_by_id(n)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            await eventually(lambda: self.proxy.requests.messages == asked + 40)
            self.assertLessEqual(len(self.lanes.reads._lanes), 4)
        found = await together(*finding)
        self.assertEqual(found, [{"_id": n, "key": n} for n in range(10)] + [None] * 30)

    @gen_test
    async def test_a_write_has_a_lane_for_itself(self) -> None:
        async with self.frozen_answers():
            calls = [self.things.update_one({"_id": n}, {"n": n}) for n in range(10)]
            writing = asyncio.gather(*calls)
            self.lanes.others._grow()
            await eventually(lambda: all(len(lane.in_flight) < 2 for lane in self.open_lanes()))
        self.assertEqual([each and each["n"] for each in await writing], list(range(10)))

    @gen_test
    async def test_commands_wait_for_a_lane(self) -> None:
        await self.things.update_one({"_id": 0}, {"n": 1})
        loop = asyncio.get_running_loop()
        with patch.object(self.lanes.others, "_limit", 1):
            async with self.frozen_answers():
                calls = [self.things.update_one({"_id": 0}, {"n": n}) for n in range(FEW + 9)]
                writing = [asyncio.ensure_future(call) for call in calls]
                await eventually(lambda: delay(loop.time()) > 0)
                writing[3].cancel()
            results = await together(*writing)
        self.assertIsInstance(results.pop(3), asyncio.CancelledError)
        self.assertEqual({result["_id"] for result in results}, {0})
        self.assertEqual(len(self.lanes.others._lanes), 1)
        self.assertEqual(delay(loop.time()), 0)

    @gen_test
    async def test_a_caller_who_leaves_hurts_nobody_behind(self) -> None:
        with patch.object(self.lanes.others, "_limit", 1):
            async with self.frozen_answers():
                first = asyncio.ensure_future(self.things.update_one({"_id": 1}, {"n": 1}))
                second = asyncio.ensure_future(self.things.update_one({"_id": 2}, {"n": 2}))
                await asyncio.sleep(0)
                first.cancel()
            self.assertEqual(await second, {"_id": 2, "key": 2, "n": 2})

    @gen_test(timeout=60)
    async def test_more_than_one_reply_holds(self) -> None:
        text = "x" * (1 << 20)
        await self.stored.insert_many(
            [{"_id": f"{n}", "key": f"{n}", "n": text} for n in range(18)]
        )
        query, sort, before = {"n": text}, [("key", 1)], await self.open_cursors()
        with self.commands("killCursors") as ended:
            found = await self.things.find(query, sort=sort, limit=18)
            self.assertEqual(len(found), 18)
            batch = await together(*(self.things.find_by_id(f"{n}") for n in range(18)))
            self.assertEqual([each["_id"] for each in batch], [f"{n}" for n in range(18)])
            await eventually(lambda: sum("killCursors" in each for each in ended) == 2)
        while await self.open_cursors() > before:
            await asyncio.sleep(0.002)

    async def open_cursors(self) -> int:
        status = await self.outside.admin.command("serverStatus")
        count: int = status["metrics"]["cursor"]["open"]["total"]
        return count

    @gen_test
    async def test_limits_that_are_the_drivers_business(self) -> None:
        self.assertEqual(len(await self.things.find({}, limit=-3)), 3)
        self.assertEqual(len(await self.things.find({}, limit=2**40)), 10)

    @gen_test
    async def test_too_large(self) -> None:
        lanes = self.open_lanes()
        text = "x" * (17 << 20)
        calls = [
            self.things.insert({"_id": "a", "n": text}),
            self.things.update_by_id(1, {"n": text}),
            self.things.find_one({"n": text}),
            self.things.find_by_id(text),
            self.things.delete({"n": text}),
        ]
        for result in await together(*calls):
            self.assertIsInstance(result, ServerError)
        self.assertLessEqual(lanes, self.open_lanes())

    @gen_test
    async def test_a_large_duplicate(self) -> None:
        large = "x" * (5 << 20)
        self.assertEqual(await self.things.insert({"_id": "a", "n": large}), "a")
        with self.assertRaises(Conflict):
            await self.things.insert({"_id": 1, "n": large})

    @gen_test
    async def test_the_database_is_closed_meanwhile(self) -> None:
        lanes = self.lanes
        await self.things.update_one({"_id": 0}, {"n": 0})  # there is a lane from now on
        with patch.object(lanes.others, "_limit", 1):
            async with self.frozen_answers():
                calls = [self.things.update_one({"_id": n}, {"n": n}) for n in range(3)]
                calls += [self.things.find_by_id(1)]
                callers = [asyncio.ensure_future(call) for call in calls]
                await asyncio.sleep(0)
                callers[0].cancel()
                callers[2].cancel()
                await db.disconnect()
                results = await together(*callers)
        for cancelled in (2, 0):
            self.assertIsInstance(results.pop(cancelled), asyncio.CancelledError)
        self.assertEqual({type(result) for result in results}, {Unavailable})
        self.assertEqual(len(lanes.others._tasks), 0)
        with self.assertRaises(Unavailable):
            await lanes.check()

    @gen_test
    async def test_sessions_are_ended(self) -> None:
        with self.commands("endSessions", *WRITES) as sent:
            await self.things.insert({"_id": "a", "key": "a"})
            await self.things.delete_by_id("a")
            await db.disconnect()
        insert, delete, *ends = sent
        self.assertEqual(insert["lsid"], delete["lsid"])
        self.assertEqual((insert["txnNumber"], delete["txnNumber"]), (1, 2))
        self.assertIn([insert["lsid"]], [end["endSessions"] for end in ends])

    def test_a_session_that_mongodb_may_have_forgotten(self) -> None:
        sessions = Sessions()
        for seconds, same in ((0, True), (30 * 60, False)):
            session = sessions.take()
            sessions.give_back(session)
            session.used -= seconds
            self.assertEqual(sessions.take() is session, same)


class DeadlineTest(LaneTest):
    @gen_test
    async def test_a_lane_whose_answer_is_overdue_is_replaced(self) -> None:
        calls: list[Call] = [
            lambda: self.things.find_by_id(1),
            lambda: self.things.update_one({"_id": 1}, {"n": 1}),
        ]
        for call in calls:
            self.assertIsInstance(await call(), dict)
            lanes = self.open_lanes()
            async with self.frozen_answers():
                with self.assertRaises(Unavailable), timeout(0.3):
                    await call()
                # The caller's own timeout may come first, and an answer would then keep the lane.
                await eventually(partial(self.has_lost_one_of, lanes))
            (overdue,) = lanes - self.open_lanes()
            await eventually(overdue._transport.is_closing)
            self.assertIsInstance(await call(), dict)

    def has_lost_one_of(self, lanes: set[Lane]) -> bool:
        return not lanes <= self.open_lanes()

    @gen_test
    async def test_a_lane_whose_answer_is_not_overdue_stays(self) -> None:
        pool = self.lanes.others
        while len(pool._lanes) < 2:
            pool._grow()
            await asyncio.sleep(0.002)
        async with self.frozen_answers():
            with timeout(0.3):
                late = asyncio.ensure_future(self.things.update_one({"_id": 1}, {"n": 1}))
                await eventually(lambda: any(lane.in_flight for lane in pool._lanes))
            patient = asyncio.ensure_future(self.things.update_one({"_id": 2}, {"n": 2}))
            with self.assertRaises(Unavailable):
                await late
            self.assertFalse(patient.done())
        self.assertEqual(await patient, {"_id": 2, "key": 2, "n": 2})

    @gen_test
    async def test_one_that_has_waited_too_long(self) -> None:
        self.proxy.refuse = True
        self.proxy.cut()
        with timeout(0.3):
            results = await together(
                self.things.find_by_id(1),
                self.things.insert({"_id": "a", "key": "a"}),
                self.things.delete({"_id": "a"}),
            )
        self.assertEqual([type(result) for result in results], [Unavailable] * 3)
        self.proxy.refuse = False
        await self.recover()

    @gen_test
    async def test_mongodb_ends_the_work(self) -> None:
        waits = {"$where": "sleep(100) || false"}
        with self.assertRaises(Unavailable) as raised, timeout(0.3):
            await self.things.find_one(waits)
        self.assertIn("MaxTimeMSExpired", str(raised.exception.__cause__))


class RequestDeadlineTest(LaneTest):
    """A command of a request with a deadline; without one it may take 30 s, as `LaneTest` sets."""

    @gen_test
    async def test_mongodb_ends_the_work(self) -> None:
        DEADLINE.set(Deadline(asyncio.get_running_loop().time() + 0.1))
        self.addCleanup(DEADLINE.set, Deadline())
        with self.assertRaises(DeadlineExceeded):
            await self.things.find_one({"$where": "sleep(100) || false"})

    @gen_test
    async def test_what_mongodb_is_told(self) -> None:
        calls: list[Call] = [
            lambda: self.things.find({"_id": 1}, limit=1),
            lambda: self.things.find_one({"key": 1, "_id": 1}),
            lambda: self.things.update_one({"_id": 1}, {"n": 1}),
            lambda: self.things.delete_by_id("none"),
        ]
        with self.commands() as sent:
            for call in calls:
                await call()
        self.assertEqual(len(sent), len(calls))
        self.assertTrue(all(20_000 < each["maxTimeMS"] <= 30_000 for each in sent))
        DEADLINE.set(Deadline(asyncio.get_running_loop().time() + 10))
        self.addCleanup(DEADLINE.set, Deadline())
        with self.commands() as sent:
            await calls[0]()
            await self.things.find_by_id(1)  # shares its command, so it has no request's deadline
        self.assertEqual([each["maxTimeMS"] <= 10_000 for each in sent], [True, False])


class LostBeforeTest(LaneTest):
    """A connection that ends between its opening by PyMongo and the first command."""

    @gen_test
    async def test_before_a_lane_is_made(self) -> None:
        client: Any = self.lanes.others._client
        opened, ended = client._conn_for_writes, []

        @asynccontextmanager
        async def lost(checkout: Any) -> AsyncIterator[Any]:
            async with checkout as connection:
                transport, protocol = connection.conn.conn
                transport.abort()
                await protocol.wait_closed()
                ended.append(transport)
                yield connection

        async def conn_for_writes(*args: Any) -> Any:
            checkout = await opened(*args)
            return checkout if ended else lost(checkout)

        with patch.object(client, "_conn_for_writes", conn_for_writes):
            self.assertIsInstance(await self.things.update_one({"_id": 1}, {"n": 1}), dict)
        self.assertEqual(len(ended), 1)

    @gen_test
    async def test_while_a_lane_is_made(self) -> None:
        """A transport with TLS tells its end to the protocol that it had, and is never closing."""
        dead = Mock(is_closing=lambda: False)

        @asynccontextmanager
        async def losing(client: Any, seconds: float) -> AsyncIterator[Taken]:
            async with taken(client, seconds) as connection:
                first = not dead.write.called
                if first:
                    cast(Any, connection.protocol).connection_lost(None)
                yield connection._replace(transport=dead) if first else connection

        with patch.object(lane_pool, "taken", losing):
            self.assertIsInstance(await self.things.update_one({"_id": 1}, {"n": 1}), dict)
        dead.write.assert_called_once()


class AgainTest(LaneTest):
    """A command whose lane is lost is sent again, and a write with the same number."""

    async def sent_twice(self, call: Call, *names: str) -> Any:
        """Return the result of `call` and its command, after whose first answer is lost."""
        with self.commands(*names) as sent:
            self.proxy.cut_after = 2
            result = await call()
        first, second = sent
        for each in sent:
            each.pop("maxTimeMS")
        self.assertEqual(first, second)
        return result, first

    @gen_test
    async def test_reads(self) -> None:
        calls: list[Call] = [
            lambda: self.things.find_by_id(1),
            lambda: self.things.find_one({"_id": 1, "key": 1}),
        ]
        for call in calls:
            found, command = await self.sent_twice(call, "find")
            self.assertEqual(found, {"_id": 1, "key": 1})
            self.assertNotIn("lsid", command)
        few = {"key": {"$lt": 2}}
        for call, answer, name in (
            (lambda: self.things.count(few), 2, "aggregate"),
            (lambda: self.things.exists(few), True, "find"),
            (lambda: self.things.distinct("key", few), [0, 1], "distinct"),
        ):
            await self.things.count({})  # there is a lane from now on
            found, command = await self.sent_twice(call, name)
            self.assertEqual(found, answer)
            self.assertNotIn("lsid", command)

    @gen_test
    async def test_writes(self) -> None:
        things = self.things
        for call, answer in (
            (lambda: things.insert({"_id": "a", "key": "a"}), "a"),
            (lambda: things.update_by_id(1, {"n": 1}), {"_id": 1, "key": 1, "n": 1}),
            (lambda: things.update_one({"key": 2}, {"n": 2}), {"_id": 2, "key": 2, "n": 2}),
            (lambda: things.update_by_id(1, inc={"n": 1}), {"_id": 1, "key": 1, "n": 2}),
            (
                lambda: things.upsert({"_id": 1}, push={"a": 1}),
                {"_id": 1, "key": 1, "n": 2, "a": [1]},
            ),
            (lambda: things.delete_by_id("a"), True),
            (lambda: together(*(things.insert({"_id": n, "key": n}) for n in "cde")), [*"cde"]),
        ):
            await things.update_one({"_id": "none"}, {"n": 1})  # there is a lane from now on
            result, command = await self.sent_twice(call, *WRITES)
            self.assertEqual(result, answer)
            self.assertIsInstance(command["txnNumber"], int)

    @gen_test
    async def test_not_an_update_of_many(self) -> None:
        await self.things.update({"_id": "none"}, {"n": 1})
        with self.commands("update") as sent:
            self.proxy.cut_after = 2
            with self.assertRaises(Unavailable):
                await self.things.update({"key": {"$lt": 5}}, inc={"n": 1})
        (update,) = sent
        self.assertNotIn("txnNumber", update)
        self.assertEqual(await self.stored.count_documents({"n": 1}), 5)

    @gen_test
    async def test_not_a_delete_of_many(self) -> None:
        await self.things.delete({"_id": "none"})
        with self.commands("delete") as sent:
            self.proxy.cut_after = 2
            with self.assertRaises(Unavailable):
                await self.things.delete({"key": {"$lt": 5}})
        (delete,) = sent
        self.assertNotIn("txnNumber", delete)
        self.assertEqual(await self.stored.count_documents({}), 5)

    @gen_test
    async def test_pymongo_learns_of_a_lost_connection(self) -> None:
        with patch.object(self.lanes, "cleared", wraps=self.lanes.cleared) as cleared:
            for listener in mongodb.own_client.options.event_listeners:
                listener.cleared = cleared
            async with self.frozen_answers():
                finding = asyncio.ensure_future(self.things.find_by_id(1))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                (lane,) = [lane for lane in self.open_lanes() if lane.in_flight]
                lane._transport.abort()
            self.assertEqual(await finding, {"_id": 1, "key": 1})
            cleared.assert_called_once_with(lane.address, False)
        await eventually(lambda: len(self.lanes.reads._tasks) == len(self.lanes.reads._lanes))

    @gen_test
    async def test_pymongo_finds_that_the_server_fails(self) -> None:
        """Commands in flight are sent again at once when no answers come any more."""
        for interrupted in (True, False):
            async with self.frozen_answers():
                finding = asyncio.ensure_future(self.things.find_by_id(1))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                (lane,) = [lane for lane in self.open_lanes() if lane.in_flight]
                with self.commands("find") as sent:
                    self.lanes.cleared(("elsewhere", 1), True)
                    self.lanes.cleared(lane.address, interrupted)
                    self.assertEqual(lane.ended.done(), interrupted)
                    if interrupted:
                        await eventually(lambda: sent)
            self.assertEqual(await finding, {"_id": 1, "key": 1})
            self.assertTrue(lane.ended.done())
            self.assertNotIn(lane, self.open_lanes())

    @gen_test
    async def test_an_answer_to_nothing(self) -> None:
        for wrong in (bytes(40), Struct("<4iIBi").pack(26, 0, 9, 2013, 0, 0, 5) + bytes(1)):
            await self.things.find_by_id(1)
            await eventually(lambda: self.lanes.reads._lanes)
            for lane in self.lanes.reads._lanes:
                lane.data_received(wrong)
                self.assertTrue(lane.ended.done())
            self.assertEqual(await self.things.find_by_id(1), {"_id": 1, "key": 1})

    @gen_test
    async def test_lanes_cannot_be_opened_any_more(self) -> None:
        broken = AttributeError("PyMongo has changed")
        with patch.object(AsyncMongoClient, "_conn_for_writes", side_effect=broken):
            self.proxy.cut()
            with self.assertRaisesRegex(AttributeError, "has changed"):
                await self.things.find_by_id(1)
        self.assertEqual(await self.things.find_by_id(1), {"_id": 1, "key": 1})


class TopologyTest(LaneTest):
    @gen_test
    async def test_lanes_to_a_server_that_is_not_the_primary(self) -> None:
        """A lane that is in use is answered before it ends."""
        elsewhere: Any = AsyncMongoClient("mongodb://127.0.0.1:1/?replicaSet=other", connect=False)
        await self.things.find_one({"n": 1})
        finding = asyncio.ensure_future(self.things.find_by_id(1))
        while not any(lane.in_flight for lane in self.open_lanes()):
            await asyncio.sleep(0)
        lanes = self.open_lanes()
        for pool in (self.lanes.reads, self.lanes.others):
            with patch.object(pool._lanes, "_client", elsewhere):
                self.assertIsNone(pool._lanes.take())
        self.assertEqual(await finding, {"_id": 1, "key": 1})
        self.assertEqual(lanes & self.open_lanes(), set())
        await self.things.find_by_id(1)
        (lane,) = self.lanes.reads._lanes
        self.lanes.reads._lanes._topology = None
        await self.things.find_by_id(1)
        self.assertEqual([*self.lanes.reads._lanes], [lane])

    def uri(self) -> str:
        """Return a URI with which PyMongo looks for the primary by itself, past the proxy."""
        return self.server_uri().replace("directConnection=true", "")


class MongoDBFailsTest(LaneTest, FailPointTest):
    def uri(self) -> str:
        """Return a URI with which PyMongo looks often whether a server is the primary again."""
        return f"{self.proxy.uri}&heartbeatFrequencyMS=500"

    @gen_test
    async def test_a_read(self) -> None:
        for code in (10107, 91, 89):
            with self.commands("find") as sent:
                async with self.failing("find", mode={"times": 1}, errorCode=code):
                    self.assertEqual(await self.things.find_by_id(1), {"_id": 1, "key": 1})
            self.assertEqual(len(sent), 2)

    @gen_test
    async def test_a_write_that_is_not_confirmed(self) -> None:
        """The primary steps down between the write and its confirmation."""
        late = {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "shutting down"}
        again = {"errorLabels": ["RetryableWriteError"]}
        for name, call, answer in (
            ("insert", self.things.insert({"_id": "a", "key": "a"}), "a"),
            ("findAndModify", self.things.update_one({"_id": 1}, {"n": 1}), None),
            ("delete", self.things.delete_by_id("a"), True),
        ):
            with self.commands(name) as sent:
                mode = {"times": 1}
                async with self.failing(name, mode=mode, writeConcernError=late, **again):
                    result = await call
            self.assertEqual(result, answer or {"_id": 1, "key": 1, "n": 1})
            self.assertEqual(len({(*each["lsid"].values(), each["txnNumber"]) for each in sent}), 1)
            self.assertEqual(len(sent), 2)

    @gen_test
    async def test_the_error_that_changed_something_is_told(self) -> None:
        labels = ["RetryableWriteError"]
        first = {"errorCode": 10107, "errorLabels": labels}
        async with self.failing("insert", **first):
            calls = asyncio.ensure_future(self.things.insert({"_id": "a"}))
            command = None
            while command is None or command._error is None:
                await asyncio.sleep(0)
                queued = [*self.lanes.others._queue]
                command = queued[0] if queued else command
            nothing = {"errorCode": 11602, "errorLabels": [*labels, "NoWritesPerformed"]}
            async with self.failing("insert", **nothing):
                command.until = 0
                with self.assertRaises(Unavailable) as raised:
                    await calls
        self.assertEqual(raised.exception.__cause__.details["code"], 10107)  # type: ignore[union-attr]
