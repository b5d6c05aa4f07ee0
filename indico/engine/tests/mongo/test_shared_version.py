"""A version that many callers change at the same time."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import Unavailable
from ...mongo.driver import mongodb
from ...mongo.shared_version import SharedVersion
from ..environment import DRIVER
from ..sample.app import ITEMS
from ..server_test import ServerTest

VERSION = SharedVersion("sample_version")


async def nothing() -> None: ...


class SharedVersionTest(ServerTest):
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER,)
    shares_database = True
    indexed = (VERSION.collection, ITEMS)

    async def add(self) -> Any:
        return await VERSION.change(lambda: ITEMS.insert({"item": {}}))  # type: ignore[typeddict-item]

    @gen_test
    async def test_each_change(self) -> None:
        versions = {await VERSION.get()}
        for _ in range(20):
            self.assertTrue(await self.add())
            versions.add(await VERSION.get())
        self.assertEqual(len(versions), 21)

    @gen_test
    async def test_no_change(self) -> None:
        await self.add()
        version = await VERSION.get()
        self.assertIsNone(await VERSION.change(nothing))
        self.assertEqual(await VERSION.get(), version)

    @gen_test
    async def test_both_or_none(self) -> None:
        version = await VERSION.get()
        with patch("secrets.token_hex", side_effect=Unavailable):
            for _ in range(20):  # each gives its document back
                with self.assertRaises(Unavailable):
                    await self.add()
        self.assertEqual((await VERSION.get(), await ITEMS.count({})), (version, 0))
        await self.add()

    @gen_test
    async def test_at_the_same_time(self) -> None:
        await asyncio.gather(*(self.add() for _ in range(40)))
        self.assertEqual(await ITEMS.count({}), 40)
        documents = await mongodb[VERSION.collection.name].count_documents({})
        self.assertLessEqual(documents, 16)
