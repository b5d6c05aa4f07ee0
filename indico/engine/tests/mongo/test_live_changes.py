"""The changes of several collections by their owners, and pre-images."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from tornado.testing import gen_test
from typing_extensions import TypedDict

from ...log import LOGGER
from ...mongo.change_stream import Change, ChangeStream
from ...mongo.collection import Collection, Document
from ...mongo.driver import mongodb
from ...mongo.live_changes import LiveChanges, PastChanges
from ...mongo.pre_images import keep_pre_images
from ...mongo.validators import put_validators
from .round_trip_test import RoundTripTest


class Shown(TypedDict):
    id: int


def live(name: str, owner: str, **options: Any) -> Collection[Document]:
    collection = Collection(name, Document, owner=owner, live=lambda each: each, **options)
    Collection.declared.remove(collection)
    return collection


class DeclarationTest(TestCase):
    def test_refused(self) -> None:
        """Nobody would be told without an owner; a class would show the whole document."""
        for options in ({"live": dict}, {"live": Shown, "owner": "user_id"}):
            before = len(Collection.declared)
            with self.assertRaisesRegex(TypeError, r"Collection\('notes', live=...\) needs owner="):
                Collection("notes", Document, **options)
            self.assertEqual(len(Collection.declared), before)


class LiveTest(RoundTripTest):
    def setUp(self) -> None:
        super().setUp()
        self.notes, self.votes = live("notes", "user_id"), live("votes", "voter")
        self.both = [self.notes, self.votes]
        self.run_async(keep_pre_images(self.both, mongodb))


class LiveChangesTest(LiveTest):
    async def told(self, changes: ChangeStream[Document], count: int) -> list[Any]:
        found = [await anext(changes) for _ in range(count)]
        return [(each.collection, each.operation, each.id, each.before) for each in found]

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        async with LiveChanges(self.both) as changes:
            await self.notes.insert({"_id": 1, "user_id": "ada", "text": "one"})
            await self.things.insert({"_id": 1, "key": 1})  # not watched
            await self.votes.insert({"_id": 1, "voter": "eve"})
            await self.notes.update_by_id(1, {"text": "two"})
            await self.notes.delete_by_id(1)
            self.assertEqual(
                await self.told(changes, 4),
                [
                    ("notes", "insert", 1, None),
                    ("votes", "insert", 1, None),
                    ("notes", "update", 1, {"user_id": "ada"}),
                    ("notes", "delete", 1, {"user_id": "ada"}),
                ],
            )

    @gen_test(timeout=60)
    async def test_positions(self) -> None:
        async with LiveChanges(self.both) as changes:
            await changes.begin()
            await changes.begin()
            positions = [changes.position]
            for n in range(3):
                await self.notes.insert({"_id": n, "user_id": "ada"})
                change = await anext(changes)
                self.assertLessEqual(change.position["_data"], changes.position)
                positions += [change.position["_data"], changes.position]
        self.assertEqual(positions, sorted(positions))

    @gen_test(timeout=60)
    async def test_the_past_of_one_owner(self) -> None:
        async with LiveChanges(self.both) as changes:
            await changes.begin()
            first = changes.position
            for n, user in enumerate(("ada", "eve", "ada")):
                await self.notes.insert({"_id": n, "user_id": user})
            await self.votes.insert({"_id": 0, "voter": "ada"})
            await self.notes.delete_by_id(0)
            found = [await anext(changes) for _ in range(5)]
        until = found[-1].position["_data"]
        self.assertEqual(
            await self.past("ada", first, until),
            [("notes", 0), ("notes", 2), ("votes", 0), ("notes", 0)],
        )
        self.assertEqual(await self.past("eve", first, until), [("notes", 1)])
        self.assertEqual(await self.past("nobody", first, until), [])
        self.assertEqual(await self.past("ada", until, until), [])

    async def past(self, owner: str, after: str, until: str) -> list[tuple[str, Any]]:
        async with PastChanges(self.both, [owner], after, until) as changes:
            found: list[Change[Document]] = [change async for change in changes]
            self.assertTrue(changes.complete)
        return [(change.collection, change.id) for change in found]

    @gen_test(timeout=60)
    async def test_a_begin_that_fails(self) -> None:
        changes = LiveChanges(self.both, {"$nosuch": 1})
        for begin in (changes.begin(), anext(changes)):
            with self.assertRaisesRegex(Exception, "nosuch"):
                await begin


class PreImagesTest(LiveTest):
    async def images(self, name: str) -> Any:
        found = await (await self.outside[self.database].list_collections()).to_list()
        (options,) = (each["options"] for each in found if each["name"] == name)
        return options.get("changeStreamPreAndPostImages")

    @gen_test(timeout=60)
    async def test_kept(self) -> None:
        self.assertEqual(await self.images("notes"), {"enabled": True})
        await self.outside[self.database].create_collection("old")
        old = live("old", "user_id")
        await keep_pre_images([old, self.things], mongodb)
        self.assertEqual(await self.images("old"), {"enabled": True})
        self.assertIsNone(await self.images("things"))

    @gen_test(timeout=60)
    async def test_a_new_collection(self) -> None:
        """A user with the role `readWrite` may set options of new collections only."""

        class MemoDocument(TypedDict):
            _id: int

        memos = Collection("memos", MemoDocument, owner="user_id", live=lambda each: each)
        Collection.declared.remove(memos)
        await put_validators([memos], mongodb, "error")
        self.assertEqual(await self.images("memos"), {"enabled": True})

    @gen_test(timeout=60)
    async def test_nothing_is_live(self) -> None:
        with self.assertNoLogs(LOGGER):
            await keep_pre_images([self.things], mongodb)
