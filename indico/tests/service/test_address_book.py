"""The address book as a service, without HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any, ClassVar
from unittest.mock import patch

import indico.db.address_db as AddressDB
from indico.db import Collection, ObjectId, turn
from indico.engine.error import (
    AuthError,
    Conflict,
    InvalidArgument,
    NotFound,
    PreconditionFailed,
    Unavailable,
)
from indico.engine.mongo import connection as db
from indico.engine.mongo.clock import now
from indico.engine.mongo.driver import Driver, mongodb
from indico.engine.tests.async_test import AsyncTest
from indico.engine.tests.class_database import ClassDatabase
from indico.engine.tests.server_test import mongodb_uri
from indico.service.address_book import (
    PUBLIC,
    Address,
    create_address,
    delete_address,
    get_address,
    get_all_addresses,
    list_addresses,
    patch_address,
    public_version,
    update_address,
)
from indico.service.documents import merge_patch
from indico.tests.server_test import YOURS

ADA, EVE = ObjectId(), ObjectId()


class BookTest(AsyncTest):
    integration = True
    driver: ClassVar[Driver] = "motor"
    shared: ClassVar[ClassDatabase]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.shared = ClassDatabase(cls, YOURS)

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        with patch.object(Collection, "declared", self.shared.missing()):
            await db.connect(mongodb_uri(), self.shared.name, self.driver, 30)
        for user_id in (ADA, EVE):
            user = {"_id": user_id, "email": "", "email_key": str(user_id), "name": None}
            times = dict.fromkeys(["created_at", "updated_at", "password_changed_at"], now())
            await mongodb.users.insert_one({**user, **times, "password_hash": ""})

    async def asyncTearDown(self) -> None:
        await self.shared.empty(mongodb.own)
        await db.disconnect()


class AddressBookTest(BookTest):
    async def test_from_empty_book_to_empty_book(self) -> None:
        for book in (ADA, PUBLIC):
            created = await create_address(book, {"name": "Grace"})
            self.assertEqual(await get_address(book, created.id), created)
            updated = await update_address(book, created.id, {"name": "Hopper"})
            self.assertEqual((updated.id, updated.entry), (created.id, {"name": "Hopper"}))
            patched = await patch_address(book, created.id, {"a": 1})
            self.assertEqual(patched.entry, {"name": "Hopper", "a": 1})
            self.assertEqual(len({created.version, updated.version, patched.version}), 3)
            self.assertEqual([a async for a in get_all_addresses(book)], [patched])
            await delete_address(book, created.id)
            self.assertEqual([a async for a in get_all_addresses(book)], [])

    async def test_not_found(self) -> None:
        hers = (await create_address(EVE, {"name": "Eve"})).id
        for address_id in (ObjectId(), hers):
            for book in (ADA, PUBLIC):
                await self.refused(NotFound, book, address_id)
        self.assertEqual((await get_address(EVE, hers)).entry, {"name": "Eve"})

    async def test_another_version(self) -> None:
        created = await create_address(PUBLIC, {"name": "Grace"})
        current = await update_address(PUBLIC, created.id, {"n": 1}, [created.version, "x"])
        for versions in ([created.version], ["nonsense"], [], ["0" * 16]):
            await self.refused(PreconditionFailed, PUBLIC, created.id, versions)
        self.assertEqual(await get_address(PUBLIC, created.id), current)
        await delete_address(PUBLIC, created.id, [current.version])
        await self.refused(NotFound, PUBLIC, created.id, [current.version])

    async def refused(
        self, error: type[Exception], book: Any, address_id: ObjectId, versions: Any = None
    ) -> None:
        if versions is None:
            with self.assertRaises(error):
                await get_address(book, address_id)
        with self.assertRaises(error):
            await update_address(book, address_id, {}, versions)
        with self.assertRaises(error):
            await patch_address(book, address_id, {}, versions)
        with self.assertRaises(error):
            await delete_address(book, address_id, versions)

    async def test_a_large_patch_is_merged_beside_the_event_loop(self) -> None:
        """Look at the thread that merges, because a large patch takes tens of milliseconds."""
        address_id = (await create_address(PUBLIC, {"name": "Grace"})).id
        changes: tuple[Any, ...] = {"small": 1}, {"large": {str(n): {} for n in range(5000)}}
        for change in changes:
            threads = set[Any]()

            def merge(target: Any, merged: Any, threads: set[Any] = threads) -> Any:
                threads.add(threading.current_thread())
                return merge_patch(target, merged)

            with patch("indico.service.address_book.merge_patch", merge):
                patched = await patch_address(PUBLIC, address_id, change)
            self.assertEqual(threads == {threading.main_thread()}, "small" in change)
            self.assertEqual(patched.entry, patched.entry | change)

    async def test_wrong_entry(self) -> None:
        created = await create_address(ADA, {"name": "Grace"})
        with self.assertRaises(InvalidArgument):
            await create_address(ADA, {"$a": 1})
        with self.assertRaises(InvalidArgument):
            await update_address(ADA, created.id, {"name": 5})
        with self.assertRaises(InvalidArgument):
            await patch_address(ADA, created.id, {"name": {"first": None}})
        self.assertEqual([a async for a in get_all_addresses(ADA)], [created])

    async def test_patches_at_the_same_time_are_all_made(self) -> None:
        names = [f"n{number}" for number in range(20)]
        self.enterContext(patch.object(mongodb, "timeout_seconds", 60))  # for all the turns
        for book in (ADA, PUBLIC):
            created = await create_address(book, {})
            await asyncio.gather(*(patch_address(book, created.id, {name: 1}) for name in names))
            self.assertEqual((await get_address(book, created.id)).entry, dict.fromkeys(names, 1))

    async def test_patches_of_one_address_take_turns(self) -> None:
        """Each is tried once, so the work does not grow with the square of their number."""
        created = await create_address(ADA, {})
        self.enterContext(patch.object(mongodb, "timeout_seconds", 60))  # for all the turns
        with patch.object(AddressDB, "replace", wraps=AddressDB.replace) as replace:
            await asyncio.gather(*(patch_address(ADA, created.id, {"n": n}) for n in range(20)))
        self.assertEqual(replace.call_count, 20)

    async def test_a_patch_that_others_undo_all_the_time(self) -> None:
        created = await create_address(ADA, {})
        with patch.object(AddressDB, "replace", return_value=None) as replace:
            with self.assertRaises(Conflict) as raised:
                await patch_address(ADA, created.id, {"n": 1})
            self.assertLess(replace.call_count, 50)
        self.assertEqual(raised.exception.headers, {"Retry-After": "1"})

    async def test_a_patch_that_waits_too_long(self) -> None:
        created = await create_address(ADA, {})
        async with turn(created.id):
            with patch.object(mongodb, "timeout_seconds", 0.001), self.assertRaises(Conflict):
                await patch_address(ADA, created.id, {"n": 1})
        await patch_address(ADA, created.id, {"n": 1})

    async def test_of_two_editors_one_wins(self) -> None:
        created = await create_address(ADA, {})
        edits = [update_address(ADA, created.id, {"n": n}, [created.version]) for n in range(10)]
        results = await asyncio.gather(*edits, return_exceptions=True)
        (won,) = [result for result in results if isinstance(result, Address)]
        self.assertEqual(await get_address(ADA, created.id), won)
        self.assertEqual(sum(isinstance(r, PreconditionFailed) for r in results), 9)

    async def test_the_user_is_gone(self) -> None:
        with self.assertRaises(AuthError):
            await create_address(ObjectId(), {})
        self.assertEqual(await mongodb.addresses.count_documents({}), 0)


class PublicVersionTest(BookTest):
    """The version of the public book, which its ETag shows."""

    async def changed(self, change: Awaitable[Any]) -> Any:
        """Await `change`, which must give the book a version that it never had."""
        answer = await change
        version = await public_version()
        self.assertNotIn(version, self.versions)
        self.versions.append(version)
        return answer

    async def test_each_change(self) -> None:
        self.versions = [await public_version()]
        for _ in range(2):
            address = await self.changed(create_address(PUBLIC, {"name": "Grace"}))
            await self.changed(update_address(PUBLIC, address.id, {"name": "Hopper"}))
            await self.changed(patch_address(PUBLIC, address.id, {}))
            await self.changed(delete_address(PUBLIC, address.id))

    async def test_no_change(self) -> None:
        address = await create_address(PUBLIC, {"name": "Grace"})
        version = await public_version()
        mine = await create_address(ADA, {"name": "Ada"})
        await update_address(ADA, mine.id, {})
        await delete_address(ADA, mine.id)
        for change in (
            update_address(PUBLIC, ObjectId(), {}),
            delete_address(PUBLIC, ObjectId()),
            update_address(PUBLIC, address.id, {}, ["0" * 16]),
            delete_address(PUBLIC, address.id, ["0" * 16]),
        ):
            with self.assertRaises((NotFound, PreconditionFailed)):
                await change
        self.assertEqual(await public_version(), version)

    async def test_both_or_none(self) -> None:
        created = await create_address(PUBLIC, {"name": "Grace"})
        for change in (
            create_address(PUBLIC, {}),
            update_address(PUBLIC, created.id, {}),
            delete_address(PUBLIC, created.id),
        ):
            failing = patch("secrets.token_hex", side_effect=Unavailable)
            with failing, self.assertRaises(Unavailable):
                await change
        self.assertEqual([a async for a in get_all_addresses(PUBLIC)], [created])

    async def test_changes_at_the_same_time(self) -> None:
        changes = (create_address(PUBLIC, {"n": n}) for n in range(20))
        made = await asyncio.gather(*changes)
        self.assertEqual(
            [a.id async for a in get_all_addresses(PUBLIC)], sorted(a.id for a in made)
        )

    async def test_it_is_read_without_the_addresses(self) -> None:
        await create_address(PUBLIC, {})
        await mongodb.command("profile", 2)
        await public_version()
        await mongodb.command("profile", 0)
        profile = mongodb["system.profile"].find({"op": {"$in": ["query", "command"]}})
        queries = [query for query in await profile.to_list(None) if "keysExamined" in query]
        self.assertEqual([query["command"]["find"] for query in queries], ["public_book"])
        self.assertEqual(queries[0]["docsExamined"], 1)


class ListTest(BookTest):
    seconds = 3

    async def fill(self, *names: str) -> list[Address]:
        return [await create_address(ADA, {"name": name}) for name in names]

    async def pages(self, limit: int, prefix: str | None = None) -> list[list[str]]:
        """Return the names on each page."""
        pages, after = [], None
        while True:
            addresses, after = await list_addresses(ADA, limit, after, prefix)
            pages.append([address.entry["name"] for address in addresses])
            if after is None:
                return pages

    async def test_pages(self) -> None:
        await create_address(EVE, {"name": "Eve"})
        self.assertEqual(await self.pages(2), [[]])
        await self.fill("c", "a", "b")
        self.assertEqual(await self.pages(2), [["c", "a"], ["b"]])
        self.assertEqual(await self.pages(3), [["c", "a", "b"]])
        self.assertEqual(await self.pages(2, ""), [["a", "b"], ["c"]])

    async def test_entries_that_come_and_go(self) -> None:
        kept = await self.fill(*"abcdef")
        first, after = await list_addresses(ADA, 2)
        await delete_address(ADA, kept[1].id)  # the last entry of the page
        await delete_address(ADA, kept[3].id)
        await self.fill("g")
        second, end = await list_addresses(ADA, 10, after)
        self.assertEqual([a.entry["name"] for a in first + second], list("abcefg"))
        self.assertIsNone(end)

    async def test_a_long_page(self) -> None:
        await asyncio.gather(*(self.fill(str(number)) for number in range(250)))
        self.assertEqual([len(page) for page in await self.pages(240)], [240, 10])
        self.assertEqual(len([a async for a in get_all_addresses(ADA)]), 250)

    async def test_large_entries_make_short_pages(self) -> None:
        await self.fill(*(f"{number:02}" + "x" * 1_000_000 for number in range(20)))
        pages = await self.pages(20)
        self.assertEqual(
            [name[:2] for page in pages for name in page], [f"{n:02}" for n in range(20)]
        )
        self.assertGreater(len(pages), 1)
        self.assertEqual(len([a async for a in get_all_addresses(ADA)]), 20)

    async def test_large_entries_that_do_not_fit_are_not_fetched(self) -> None:
        await self.fill(*(f"{number:02}" + "x" * 300_000 for number in range(20)))
        await mongodb.command("profile", 2)
        for prefix in (None, ""):
            await list_addresses(ADA, 20, None, prefix)
        await mongodb.command("profile", 0)
        profile = mongodb["system.profile"].find({"command.find": "addresses"})
        sizes = [query["responseLength"] for query in await profile.to_list(None)]
        self.assertLess(max(sizes), 2_000_000)
        self.assertLess(sum(sizes), 2 * 2_500_000)

    async def test_lists_at_the_same_time_take_turns(self) -> None:
        """Each holds several megabytes while it is read."""
        await self.fill(*"abcdefg")
        find_part, reading, most = AddressDB.ADDRESSES.find_part, 0, 0

        async def count(*arguments: Any, **options: Any) -> Any:
            nonlocal reading, most
            reading += 1
            most = max(most, reading)
            part = await find_part(*arguments, **options)
            reading -= 1
            return part

        with patch.object(AddressDB.ADDRESSES, "find_part", count):
            lists = await asyncio.gather(*(list_addresses(ADA, 10) for _ in range(20)))
        self.assertEqual({len(addresses) for addresses, _ in lists}, {7})
        self.assertLessEqual(most, 4)

    async def test_prefix(self) -> None:
        await self.fill("Ada", "ADAM", "ad.", "adb", "a*", "Ädam", "bob", "ad\U0010ffffz", "")
        await create_address(ADA, {"full_name": "adi", "name": ""})
        await create_address(ADA, {"name": "zed", "full_name": "adz"})
        for prefix, names in {
            "ad": ["ad.", "Ada", "ADAM", "adb", "", "ad\U0010ffffz"],
            "AD": ["ad.", "Ada", "ADAM", "adb", "", "ad\U0010ffffz"],
            "ad.": ["ad."],
            "a*": ["a*"],
            ".*": [],
            "Äd": ["Ädam"],
            "ad\U0010ffff": ["ad\U0010ffffz"],
            "$": [],
        }.items():
            for limit in (1, 2, 100):
                pages = await self.pages(limit, prefix)
                self.assertEqual([name for page in pages for name in page], names, prefix)
        everyone = [name for page in await self.pages(3, "") for name in page]
        self.assertEqual(len(everyone), 11)

    async def test_many_of_one_name(self) -> None:
        made = await self.fill(*["Grace"] * 7, "Gracie")
        after, found = None, []
        while True:
            addresses, after = await list_addresses(ADA, 3, after, "GRACE")
            found += [address.id for address in addresses]
            if after is None:
                break
        self.assertEqual(found, [address.id for address in made[:7]])

    async def test_a_long_name(self) -> None:
        """Only the beginning is folded, because folding takes quadratic time."""
        await self.fill("x" + "\u0301\u0323" * 150_000)
        self.assertEqual(len((await self.pages(1, "X"))[0]), 1)

    async def test_an_index_is_used(self) -> None:
        await self.fill(*(f"{letter}{number:02}" for letter in "abcde" for number in range(20)))
        await create_address(EVE, {"name": "c"})
        await mongodb.command("profile", 2)
        self.assertEqual([len(page) for page in await self.pages(6, "C")], [6, 6, 6, 2])
        await mongodb.command("profile", 0)
        profile = mongodb["system.profile"].find({"command.find": "addresses"})
        queries = await profile.to_list(None)
        self.assertEqual(len(queries), 7)
        for query in queries:
            self.assertIn("name_key: 1", query["planSummary"])
            self.assertLessEqual(query["keysExamined"], 9)
            self.assertFalse(query.get("hasSortStage"))
