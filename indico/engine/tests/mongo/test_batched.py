"""Many concurrent operations on one collection: each is answered as if it were alone."""

from __future__ import annotations

import asyncio
import copy
import logging
from random import Random
from typing import Any, ClassVar

from hypothesis import given
from tornado.testing import gen_test

from ...error import Duplicate, Unavailable
from ...mongo import connection as db
from ...mongo.collection import Document, IndexModel
from ..environment import DRIVER, EXAMPLES, LANE
from .model import MAX_DOCUMENT_BYTES, Call, outcome
from .programs import (
    WRONG_CHANGES,
    WRONG_FIELDS,
    WRONG_IDS,
    Round,
    programs,
)
from .round_trip_test import RoundTripTest, property_settings, together


class PropertyTest(RoundTripTest):
    """Programs of concurrent callers, drawn by hypothesis and judged by `Referee`."""

    varies_with = (DRIVER, LANE, EXAMPLES)
    covers = False

    @property_settings(20)
    @given(programs())
    def test_any_program(self, program: list[Round]) -> None:
        self.run_async(self.play(program))

    async def play(self, program: list[Round]) -> None:
        async with self.referee() as referee:
            for callers in program:
                await referee.judge(callers)


class ConcurrentCase(RoundTripTest):
    async def insert_numbers(self, count: int) -> None:
        await self.stored.insert_many([{"_id": n, "key": n} for n in range(count)])

    async def make(self, call: Call) -> Any:
        """Return what `call` answers, or its error."""
        made = getattr(self.things, call.method)(*copy.deepcopy(call.arguments))
        return (await together(made))[0]


class ConcurrentTest(ConcurrentCase):
    """One promise a test, with enough callers to break it."""

    varies_with = (DRIVER,)

    @gen_test
    async def test_each_gets_its_own_document(self) -> None:
        await self.insert_numbers(100)
        expected = [None] * 10 + [{"_id": n, "key": n} for n in range(100)]
        by_id = (self.things.find_by_id(n) for n in range(-10, 100))
        self.assertEqual(await together(*by_id), expected)
        by_key = (self.things.find_one({"key": n}) for n in range(-10, 100))
        self.assertEqual(await together(*by_key), expected)

    @gen_test
    async def test_results_are_nobody_elses(self) -> None:
        await self.things.insert({"_id": 1, "key": 1, "deep": {"list": [{}]}})
        calls = [self.things.find_by_id(1) for _ in range(5)]
        calls += [self.things.find_one({"key": 1}) for _ in range(5)]
        calls += [self.things.update_by_id(1, {"n": 1}) for _ in range(5)]
        found = await together(*calls)
        parts = [(one, one["deep"], one["deep"]["list"], one["deep"]["list"][0]) for one in found]
        self.assertEqual(len({id(part) for several in parts for part in several}), 60)

    @gen_test
    async def test_a_duplicate_hurts_nobody_else(self) -> None:
        documents: list[Document] = [{"_id": n, "key": n % 50} for n in range(100)]
        results = await together(*map(self.things.insert, documents))
        errors = [result for result in results if isinstance(result, Duplicate)]
        self.assertEqual(len({id(error) for error in errors}), 50)
        inserted = [n for n in results if isinstance(n, int)]
        self.assertEqual({n % 50 for n in inserted}, set(range(50)))
        self.assertEqual({document["_id"] async for document in self.stored.find()}, {*inserted})
        results = await together(*(self.things.insert({"_id": n}) for n in inserted * 2))
        self.assertEqual([type(result) for result in results], [Duplicate] * 100)

    @gen_test
    async def test_an_update_that_clashes_hurts_nobody_else(self) -> None:
        await self.insert_numbers(50)
        updates = (self.things.update_by_id(n, {"key": n - n % 2, "n": n}) for n in range(50))
        for n, result in enumerate(await together(*updates)):
            if n % 2:
                self.assertIsInstance(result, Duplicate)
            else:
                self.assertEqual(result, {"_id": n, "key": n, "n": n})

    @gen_test(timeout=30)
    async def test_what_is_wrong_hurts_nobody_else(self) -> None:
        await self.insert_numbers(40)
        await self.stored.insert_one({"_id": "right", "key": "right", "by": 1})
        wrong = [
            *(Call("insert", (fields,)) for fields in WRONG_FIELDS),
            *(Call("insert", ({"_id": wrong, "key": "wrong"},)) for wrong in WRONG_IDS),
            *(Call("find_by_id", (wrong,)) for wrong in WRONG_IDS),
            *(Call("update_by_id", (wrong, {"n": 1})) for wrong in WRONG_IDS),
            *(Call("delete_by_id", (wrong,)) for wrong in WRONG_IDS),
            *(Call("update_by_id", ("right", changes)) for changes in WRONG_CHANGES),
            Call("insert", ({"key": "a little", "n": "x" * MAX_DOCUMENT_BYTES},)),
            Call("insert", ({"key": "much", "n": "xx" * MAX_DOCUMENT_BYTES},)),
        ]
        expected: list[tuple[Call, Any]] = [(call, await self.make(call)) for call in wrong]
        for n in range(10):
            expected += [
                (Call("find_by_id", (n,)), {"_id": n, "key": n}),
                (Call("insert", ({"_id": 100 + n, "key": 100 + n},)), 100 + n),
                (Call("update_by_id", (20 + n, {"n": n})), {"_id": 20 + n, "key": 20 + n, "n": n}),
                (Call("delete_by_id", (30 + n,)), True),
            ]
        Random(0).shuffle(expected)
        results = await together(*(self.make(call) for call, _ in expected))
        for (call, answer), result in zip(expected, results, strict=True):
            self.assertEqual(outcome(result), outcome(answer), call)

    @gen_test
    async def test_other_queries_are_answered_too(self) -> None:
        await self.insert_numbers(20)
        one, last = {"_id": 1, "key": 1}, {"_id": 19, "key": 19}
        expected: list[tuple[Call, Any]] = [
            (Call("find_one", ({"_id": 1, "key": 1},)), one),
            (Call("find_one", ({"_id": 1, "key": 2},)), None),
            (Call("find_one", ({"key": 1, "_id": 2},)), None),
            (Call("find_one", ({"_id": {"$in": [1, 99]}},)), one),
            (Call("find_one", ({"_id": {"$gt": 18}},)), last),
            (Call("find_one", ({"key": {"$gt": 18}},)), last),
            (Call("find_one", ({"$or": [{"_id": 1}, {"key": 1}]},)), one),
            (Call("find", ({"_id": 1},)), [one]),
            (Call("find", ({"key": 1},)), [one]),
            (Call("update_one", ({"_id": 1, "key": 2}, {"n": 2})), None),
            (Call("update_one", ({"key": 1, "_id": 2}, {"n": 2})), None),
            (Call("update_one", ({"key": {"$gt": 18}}, {"key": 19})), last),
            (Call("delete", ({"_id": 1, "key": 2},)), 0),
            (Call("delete", ({"key": 1, "_id": 2},)), 0),
        ] * 3
        results = await together(*(self.make(call) for call, _ in expected))
        for (call, answer), result in zip(expected, results, strict=True):
            self.assertEqual(result, answer, call)
        self.assertEqual(await self.things.delete({"_id": {"$lt": 5}, "key": {"$gt": 2}}), 2)


class OneDocumentTest(ConcurrentCase):
    """Many changes of one document or key."""

    @gen_test(timeout=30)
    async def test_one_of_several_deletes_finds_it(self) -> None:
        for n in range(30):
            await self.stored.insert_one({"_id": n})
            deletes = [self.things.delete_by_id(n) for _ in range(5)]
            outside = self.stored.delete_one({"_id": n if n % 2 else None})
            *found, deleted = await together(*deletes, outside)
            self.assertEqual(sum(found) + deleted.deleted_count, 1)

    @gen_test
    async def test_many_updates_of_one_document(self) -> None:
        await self.insert_numbers(1)
        results = await together(
            *(self.things.update_by_id(0, {f"field {n}": n}) for n in range(50)),
            self.things.update_by_id(1, {"n": 1}),
            self.things.update_by_id(0, {"key": 0}),
        )
        self.assertIsNone(results[50])
        self.assertEqual(results[51]["_id"], 0)
        self.assertEqual([results[n][f"field {n}"] for n in range(50)], [*range(50)])
        self.assertEqual(len(await self.things.find_by_id(0) or {}), 52)

    @gen_test
    async def test_updates_tell_of_one_another_in_one_order(self) -> None:
        """Answers that show the same updates agree on the last one."""
        await self.insert_numbers(1)
        updates = (self.things.update_by_id(0, {"last": n, f"field {n}": 1}) for n in range(50))
        last: dict[frozenset[str], int] = {}
        for answer in [*await together(*updates), await self.things.find_by_id(0)]:
            known = frozenset(answer)
            self.assertIn(f"field {answer['last']}", known)
            self.assertEqual(last.setdefault(known, answer["last"]), answer["last"])

    @gen_test
    async def test_an_update_answers_with_a_document_if_it_changed_it(self) -> None:
        calls = []
        for n in range(50):
            calls += [
                self.things.update_by_id(n, {"n": n}),
                self.things.insert({"_id": n, "key": n}),
            ]
        answers = (await together(*calls))[::2]
        for n, answer in enumerate(answers):
            self.assertEqual(answer and answer["n"], n if answer else None)
            self.assertEqual(answer or {"_id": n, "key": n}, await self.stored.find_one(n))

    @gen_test
    async def test_an_insert_gives_its_document_an_id(self) -> None:
        documents: list[Document] = [{"key": n} for n in range(20)]
        ids = await together(*map(self.things.insert, documents))
        self.assertEqual([document["_id"] for document in documents], ids)
        self.assertEqual(len(set(ids)), 20)

    @gen_test
    async def test_a_key_that_only_some_documents_have_for_themselves(self) -> None:
        indexes = [
            IndexModel("key", unique=True, partialFilterExpression={"live": True}),
            IndexModel("other", unique=True, sparse=True),
        ]
        await self.make_things("partial", *indexes)
        await self.stored.insert_many([{"_id": n, "key": n % 2} for n in range(10)])
        for n, found in enumerate(
            await together(*(self.things.find_one({"key": n % 3}) for n in range(30)))
        ):
            self.assertEqual(None if found is None else found["key"], (0, 1, None)[n % 3])
        for found in await together(*(self.things.find_one({"other": None}) for _ in range(10))):
            self.assertIn(found["_id"], range(10))

    @gen_test
    async def test_a_key_of_two_fields(self) -> None:
        await self.make_things("pairs", IndexModel(["a", "b"], unique=True))
        pairs = [{"a": a, "b": b} for a in range(4) for b in range(4)]
        await self.stored.insert_many([{"_id": n, **pair} for n, pair in enumerate(pairs)])
        queries: list[Document] = [*pairs, *({"b": pair["b"], "a": pair["a"]} for pair in pairs)]
        found = await together(*map(self.things.find_one, queries))
        self.assertEqual([document["_id"] for document in found], [*range(16), *range(16)])


class ConnectionTest(ConcurrentCase):
    """Operations while the database is not open, or open in another event loop."""

    @gen_test
    async def test_not_open(self) -> None:
        await db.disconnect()
        calls = [
            Call("insert", ({"_id": 1},)),
            Call("find_by_id", (1,)),
            Call("delete_by_id", (1,)),
        ]
        for result in await together(*(self.make(call) for call in calls * 10)):
            self.assertIsInstance(result, Unavailable)
        await self.connect()
        self.assertEqual([await self.make(call) for call in calls], [1, {"_id": 1}, True])

    def test_one_event_loop_after_the_other(self) -> None:
        """Operations that a closed or stopped loop has left do not disturb the next loop."""

        async def abandon() -> None:
            await self.connect()
            finds = (self.things.find_by_id(n) for n in range(20))
            updates = (self.things.update_by_id(n, {"n": n}) for n in range(20))
            self.abandoned = [
                *map(asyncio.ensure_future, finds),
                *map(asyncio.ensure_future, updates),
            ]
            await asyncio.sleep(0)

        async def use() -> None:
            await self.connect()
            calls = [Call("insert", ({"_id": "a"},)), Call("find_by_id", ("a",))]
            self.assertEqual([await self.make(call) for call in calls], ["a", {"_id": "a"}])
            await db.disconnect()

        self.run_async(db.disconnect())
        logging.disable()  # the drivers log that they were not closed
        self.addCleanup(logging.disable, logging.NOTSET)
        asyncio.run(abandon())
        with asyncio.Runner() as stopped:
            stopped.run(abandon())
            asyncio.run(use())
        self.run_async(self.connect())


class WithoutLanesTest(ConcurrentTest):
    covers = False
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": False}
