"""`FaultTest` and `FailPointTest`: tests of a collection while the network or MongoDB fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

import pymongo

from ...error import APIError, Unavailable
from ...mongo.driver import APPLICATION_NAME, mongodb
from ...mongo.operation import GRACE_SECONDS
from .round_trip_test import ProxiedTest, together

READS = ["find_by_id", "find_one"]
WRITES = ["insert", "update_by_id", "delete_by_id"]


class FaultTest(ProxiedTest):
    """`self.things` with ten documents."""

    def setUp(self) -> None:
        super().setUp()
        self.marks = iter(range(1_000_000))
        self.run_async(self.stored.insert_many([{"_id": n, "key": n} for n in range(10)]))

    async def made(self, method: str, n: int) -> Any:
        """Return what a call answers, or its error, after at most one timeout."""
        mark = f"mark {next(self.marks)}"
        arguments: dict[str, tuple[Any, ...]] = {
            "find_by_id": (n,),
            "find_one": ({"key": n},),
            "insert": ({"_id": mark, "key": mark},),
            "update_by_id": (n, {"n": mark}),
            "delete_by_id": (mark,),
        }
        caller = asyncio.ensure_future(getattr(self.things, method)(*arguments[method]))
        patience = mongodb.timeout_seconds + GRACE_SECONDS + 1
        await asyncio.wait([caller], timeout=patience)
        self.assertTrue(caller.done(), f"{method} still waits after {patience} s")
        return (await together(caller))[0]

    async def all_made(self, methods: list[str]) -> list[Any]:
        """Make ten calls of each method at the same time; no two share an error."""
        results = await asyncio.gather(
            *(self.made(method, n) for n in range(10) for method in methods)
        )
        errors = [result for result in results if isinstance(result, Exception)]
        self.assertEqual(len({id(error) for error in errors}), len(errors))
        return results

    async def all_fail(self, methods: list[str], error: type[APIError]) -> None:
        results = await self.all_made(methods)
        self.assertEqual({type(result) for result in results}, {error})

    async def recover(self) -> None:
        while isinstance(await self.made("find_by_id", 0), Unavailable):
            await asyncio.sleep(0.01)
        for result in await self.all_made(READS + WRITES):
            self.assertNotIsInstance(result, Exception)


@contextmanager
def timeout(seconds: float) -> Iterator[None]:
    """Give each operation this time."""
    with patch.object(mongodb, "timeout_seconds", seconds), pymongo.timeout(seconds):
        yield


class FailPointTest(FaultTest):
    @asynccontextmanager
    async def failing(
        self, *commands: str, mode: Any = "alwaysOn", **how: Any
    ) -> AsyncIterator[None]:
        """Make these commands of the app fail; `mode` and `how` are those of a fail point."""
        point: dict[str, Any] = {"configureFailPoint": "failCommand"}
        app = f"{APPLICATION_NAME} {os.getpid()}"
        data = {"failCommands": commands, "appName": app, **how}
        await self.outside.admin.command({**point, "mode": mode, "data": data})
        try:
            yield
        finally:
            await self.outside.admin.command({**point, "mode": "off"})
