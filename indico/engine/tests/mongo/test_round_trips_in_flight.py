"""Operations that begin, and callers that are cancelled, while others are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tornado.testing import gen_test

from .model import Call
from .round_trip_test import ProxiedTest, eventually, together


class InFlightTest(ProxiedTest):
    async def sent(self, *calls: Call) -> list[asyncio.Task[Any]]:
        """Return callers, of which at least one waits for an answer that the proxy holds."""
        self.proxy.freeze(requests=False)
        answers = self.proxy.answers.messages
        callers = [asyncio.create_task(self.made(call)) for call in calls]
        await eventually(lambda: self.proxy.answers.messages > answers)
        return callers

    def made(self, call: Call) -> Any:
        return getattr(self.things, call.method)(*call.arguments)

    @gen_test
    async def test_a_find_sees_what_was_written_before_it_began(self) -> None:
        for call in (Call("find_by_id", (1,)), Call("find_one", ({"key": 1},))):
            before = None
            for document in ({"_id": 1, "key": 1}, {"_id": 1, "key": 1, "n": 2}, None):
                (first,) = await self.sent(call)
                await self.stored.delete_many({"_id": 1})
                if document:
                    await self.stored.insert_one(document)
                second = asyncio.create_task(self.made(call))
                await asyncio.sleep(0.01)
                self.proxy.thaw()
                self.assertEqual(await together(first, second), [before, document])
                before = document

    @gen_test
    async def test_an_update_that_found_nothing_stays_so(self) -> None:
        """The answer is None even if a document is inserted before the read."""
        self.proxy.delay_seconds = 0.02
        answers = self.proxy.answers.messages
        caller = asyncio.create_task(self.things.update_by_id(1, {"n": 1}))
        await eventually(lambda: self.proxy.answers.messages > answers)
        await self.stored.insert_one({"_id": 1, "key": 1})
        self.assertIsNone(await caller)

    @gen_test
    async def test_a_caller_who_leaves_hurts_nobody(self) -> None:
        await self.stored.insert_one({"_id": 1, "key": 1})
        document = {"_id": 1, "key": 1, "n": 1}
        for leaving in ([0], [1, 2], [4], [0, 1, 2, 3]):
            for call, answer in (
                (Call("update_by_id", (1, {"n": 1})), document),
                (Call("find_by_id", (1,)), document),
                (Call("find_one", ({"key": 1},)), document),
                (Call("delete_by_id", (2,)), False),
            ):
                callers = await self.sent(*[call] * 5)
                for index in leaving:
                    callers[index].cancel()
                self.proxy.thaw()
                results = await together(*callers)
                for index, result in enumerate(results):
                    if index in leaving:
                        self.assertIsInstance(result, asyncio.CancelledError)
                    else:
                        self.assertEqual(result, answer)

    @gen_test
    async def test_an_insert_whose_caller_leaves_hurts_nobody(self) -> None:
        for leaving in range(5):
            documents = [{"_id": f"{leaving} {n}", "key": f"{leaving} {n}"} for n in range(5)]
            callers = await self.sent(*(Call("insert", (document,)) for document in documents))
            callers[leaving].cancel()
            self.proxy.thaw()
            results = await together(*callers)
            self.assertIsInstance(results.pop(leaving), asyncio.CancelledError)
            del documents[leaving]
            self.assertEqual(results, [document["_id"] for document in documents])
            for document in documents:
                self.assertEqual(await self.stored.find_one(document["_id"]), document)

    @gen_test
    async def test_everybody_leaves(self) -> None:
        await self.stored.insert_one({"_id": 1, "key": 1})
        for call in (Call("find_by_id", (1,)), Call("update_by_id", (1, {"n": 1}))):
            callers = await self.sent(*[call] * 5)
            for caller in callers:
                caller.cancel()
            self.proxy.thaw()
            await together(*callers)
            found = await self.things.find_by_id(1)
            self.assertEqual(found and found["key"], 1)

    @gen_test
    async def test_every_write_is_majority_and_journalled(self) -> None:
        commands: list[dict[str, Any]] = []
        self.proxy.commands = commands
        await together(
            *(self.things.insert({"_id": n, "key": n}) for n in range(20)),
            *(self.things.update_by_id(n, {"n": n}) for n in range(20)),
            *(self.things.update_one({"key": n}, {"n": n}) for n in range(20)),
        )
        await together(*(self.things.delete_by_id(n) for n in range(10)))
        await self.things.delete({"key": {"$in": [11, 12]}})
        names = [next(iter(command)) for command in commands]
        self.assertLessEqual({"insert", "update", "findAndModify", "delete"}, {*names})
        for name, command in zip(names, commands, strict=True):
            if name not in ("find", "getMore"):
                self.assertEqual(command["writeConcern"], {"w": "majority", "j": True}, name)


class SharingTest(ProxiedTest):
    """The number of commands that MongoDB gets."""

    async def commands(self, *operations: Coroutine[Any, Any, Any]) -> list[str]:
        commands: list[dict[str, Any]] = []
        self.proxy.commands = commands
        for result in await together(*operations):
            self.assertNotIsInstance(result, Exception)
        return [next(iter(command)) for command in commands]

    @gen_test
    async def test_finds(self) -> None:
        await self.stored.insert_many([{"_id": n, "key": n} for n in range(100)])
        by_id = (self.things.find_by_id(n) for n in range(100))
        self.assertLess(len(await self.commands(*by_id)), 20)
        by_key = (self.things.find_one({"key": n}) for n in range(100))
        self.assertLess(len(await self.commands(*by_key)), 20)

    @gen_test
    async def test_writes(self) -> None:
        inserts = (self.things.insert({"_id": n, "key": n}) for n in range(100))
        self.assertLess(len(await self.commands(*inserts)), 20)
        updates = (self.things.update_by_id(n, {"n": n}) for n in range(100))
        self.assertLess(len(await self.commands(*updates)), 40)
        deletes = (self.things.delete_by_id(n) for n in range(100))
        self.assertEqual(await self.commands(*deletes), ["delete"] * 100)
        self.assertEqual(await self.stored.count_documents({}), 0)

    @gen_test
    async def test_one_alone(self) -> None:
        """A lone operation is one command, and does not wait for others."""
        await self.things.find_by_id(1)
        self.assertEqual(await self.commands(self.things.find_by_id(1)), ["find"])
        self.assertEqual(await self.commands(self.things.find_one({"key": 1})), ["find"])
