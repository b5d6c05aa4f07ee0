"""Servers that are killed while they make calls with an `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from random import Random
from typing import Any

from pymongo import MongoClient
from tornado.httpclient import AsyncHTTPClient

from ..server_process import ProcessTest, ServerProcess
from ..server_test import mongodb_uri

# SERVER_KILLS=200 in the environment kills so many servers, and prints what came out.
KILLS = int(os.environ.get("SERVER_KILLS", "0"))
CALLERS = 16


class KilledTest(ProcessTest):
    """Each call has happened once in the end, whenever its server was killed."""

    covers = False
    seconds = 12
    path = "/items"
    kills = KILLS or 5

    def setUp(self) -> None:
        super().setUp()
        self.mongodb: MongoClient[Any] = MongoClient(mongodb_uri())
        self.addCleanup(self.mongodb.close)
        self.database = f"test_killed_calls_{os.getpid()}"
        self.addCleanup(self.mongodb.drop_database, self.database)
        self.addCleanup(self.set_lifetime, 60)
        self.set_lifetime(1)
        self.random = Random(0)
        self.answers: Counter[object] = Counter()
        self.keys: list[str] = []
        self.killing, self.loaded = True, asyncio.Event()

    def set_lifetime(self, seconds: int) -> None:
        """Set how long MongoDB keeps the transaction of a server that was killed."""
        parameter = {"setParameter": 1, "transactionLifetimeLimitSeconds": seconds}
        self.mongodb.admin.command(parameter)

    def start_one(self) -> ServerProcess:
        return self.start("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.database)

    def test_killed(self) -> None:
        asyncio.run(self.kill_under_load())
        items = [item["item"]["key"] for item in self.mongodb[self.database].sample_items.find()]
        self.assertEqual(sorted(items), sorted(self.keys))
        if KILLS:
            sys.stderr.write(f"{KILLS} kills, {len(items)} calls: {dict(self.answers)}\n")

    async def kill_under_load(self) -> None:
        self.server = await asyncio.to_thread(self.start_one().wait_until_it_listens)
        self.client = AsyncHTTPClient(force_instance=True, max_clients=CALLERS)
        callers = [asyncio.create_task(self.call_until_the_end(n)) for n in range(CALLERS)]
        for _ in range(self.kills):
            following = self.start_one()
            await asyncio.to_thread(following.wait_until_it_listens)
            self.loaded.set()
            await self.answered(self.random.randrange(CALLERS, 4 * CALLERS))
            self.loaded.clear()
            self.server, killed = following, self.server
            await asyncio.to_thread(killed.kill)
        self.killing = False
        self.loaded.set()
        await asyncio.gather(*callers)

    async def answered(self, more: int) -> None:
        """Wait until so many more calls are answered."""
        enough = self.answers.total() + more
        while self.answers.total() < enough:
            await asyncio.sleep(0)

    async def call_until_the_end(self, caller: int) -> None:
        number = 0
        while self.killing:
            await self.loaded.wait()
            key = f"{caller} {number}"
            self.keys.append(key)
            while not await self.made(key):
                await asyncio.sleep(0.01)
                await self.loaded.wait()
            number += 1

    async def made(self, key: str) -> bool:
        """Make a call once more, and return whether it is answered with its success."""
        try:
            response = await self.client.fetch(
                f"http://127.0.0.1:{self.server.port}{self.path}",
                method="POST",
                headers={"Idempotency-Key": key},
                body=json.dumps({"key": key}),
                raise_error=False,
            )
        except Exception as error:  # the server is gone
            self.answers[type(error).__name__] += 1
            return False
        replayed = response.headers.get("Idempotent-Replayed")
        self.answers["replayed" if replayed else response.code] += 1
        self.assertIn(response.code, (201, 409, 503, 504), response.body)
        return response.code == 201
