from __future__ import annotations

import asyncio
from unittest import IsolatedAsyncioTestCase
from unittest.mock import patch

from ...error import Conflict, Overloaded
from ...mongo.driver import mongodb
from ...mongo.turns import _turns, turn


class TurnTest(IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.enterContext(patch.object(mongodb, "timeout_seconds", 10))
        self.working: list[str] = []
        self.most = 0

    async def work(self, key: str, places: int = 1) -> None:
        async with turn(key, places):
            self.working.append(key)
            self.most = max(self.most, len(self.working))
            await asyncio.sleep(0)
            self.working.remove(key)

    async def test_one_at_a_time(self) -> None:
        others = dict(_turns)  # the traceback of a failed test may keep one
        await asyncio.gather(*(self.work("a") for _ in range(10)))
        self.assertEqual(self.most, 1)
        self.assertEqual(dict(_turns), others)

    async def test_a_few_at_a_time(self) -> None:
        await asyncio.gather(*(self.work("a", places=3) for _ in range(10)))
        self.assertEqual(self.most, 3)

    async def test_another_key(self) -> None:
        await asyncio.gather(self.work("a"), self.work("b"))
        self.assertEqual(self.most, 2)

    async def test_busy(self) -> None:
        async with turn("a"):
            mongodb.timeout_seconds = 0.001
            with self.assertRaises(Overloaded):
                await self.work("a")
            with self.assertRaises(Conflict):
                async with turn("a", busy=Conflict):
                    self.fail("two at a time")
        await self.work("a")

    async def test_a_caller_that_waits_for_a_time_of_its_own(self) -> None:
        mongodb.timeout_seconds = 3600
        async with turn("a"):
            with self.assertRaises(Overloaded):
                async with turn("a", seconds=0.001):
                    self.fail("two at a time")

    async def test_a_caller_that_waits_on(self) -> None:
        async with turn("a"):
            mongodb.timeout_seconds = 0.001
            patient = asyncio.ensure_future(self.wait_on())
            with self.assertRaises(Overloaded):
                await self.work("a")
        await patient

    async def wait_on(self) -> None:
        async with turn("a", busy=None):
            pass

    async def test_an_error_ends_the_turn(self) -> None:
        with self.assertRaises(KeyError):
            async with turn("a"):
                raise KeyError
        await self.work("a")
