"""Servers that are killed while they make calls with an `Idempotency-Key`, and run jobs."""

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

from ...jobs.job_document import JOBS
from ..jobs.server import PROGRAM
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import mongodb_uri

# SERVER_KILLS=200 in the environment kills so many servers, and prints what came out.
KILLS = int(os.environ.get("SERVER_KILLS", "0"))
CALLERS = 16
PATHS = ("/items", "/job/add")  # a caller calls the one or the other


class JobServer(ServerProcess):
    server = PROGRAM.server


class KilledTest(ProcessTest):
    """Each call has happened once in the end, whenever its server was killed.

    Some calls queue a job in their transaction. Each job has run in the end.
    """

    covers = False
    seconds = 8
    server_class = JobServer
    flags = ("--job-lease-seconds", "2")

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
        self.keys: dict[str, list[str]] = {path: [] for path in PATHS}
        self.killing, self.loaded = True, asyncio.Event()
        self.enough, self.reached = 0, asyncio.Event()

    def set_lifetime(self, seconds: int) -> None:
        """Set how long MongoDB keeps the transaction of a server that was killed."""
        parameter = {"setParameter": 1, "transactionLifetimeLimitSeconds": seconds}
        self.mongodb.admin.command(parameter)

    def start_one(self) -> ServerProcess:
        return self.start("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.database)

    def test_killed(self) -> None:
        asyncio.run(self.kill_under_load())
        stored = self.mongodb[self.database]
        items = [item["item"]["key"] for item in stored.sample_items.find()]
        self.assertEqual(sorted(items), sorted(key for keys in self.keys.values() for key in keys))
        until(lambda: {each["name"] for each in stored[JOBS.name].find()} == {"be_daily"})
        runs = Counter(mark["what"] for mark in stored.job_marks.find())
        self.assertGreaterEqual(runs.pop("daily"), 1)
        self.assertEqual(set(runs), set(self.keys["/job/add"]))
        if KILLS:
            again = runs.total() - len(runs)
            sys.stderr.write(f"{KILLS} kills, {len(items)} calls: {dict(self.answers)}\n")
            sys.stderr.write(f"{len(runs)} jobs, 0 lost, {again} of them ran twice or more\n")

    async def kill_under_load(self) -> None:
        self.server = await asyncio.to_thread(self.start_one().wait_until_it_listens)
        self.client = AsyncHTTPClient(force_instance=True, max_clients=CALLERS)
        callers = [asyncio.create_task(self.call_until_the_end(n)) for n in range(CALLERS)]
        for _ in range(KILLS or 4):
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
        self.enough = self.answers.total() + more
        self.reached.clear()
        await self.reached.wait()

    def count(self, answer: object) -> None:
        self.answers[answer] += 1
        if self.answers.total() >= self.enough:
            self.reached.set()

    async def call_until_the_end(self, caller: int) -> None:
        number, path = 0, PATHS[caller % len(PATHS)]
        while self.killing:
            await self.loaded.wait()
            key = f"{caller} {number}"
            self.keys[path].append(key)
            while not await self.made(path, key):
                await asyncio.sleep(0.01)
                await self.loaded.wait()
            number += 1

    async def made(self, path: str, key: str) -> bool:
        """Make a call once more, and return whether it is answered with its success."""
        try:
            response = await self.client.fetch(
                f"http://127.0.0.1:{self.server.port}{path}",
                method="POST",
                headers={"Idempotency-Key": key},
                body=json.dumps({"key": key}),
                raise_error=False,
            )
        except Exception as error:  # the server is gone
            self.count(type(error).__name__)
            return False
        replayed = response.headers.get("Idempotent-Replayed")
        self.count("replayed" if replayed else response.code)
        self.assertIn(response.code, (201, 409, 503, 504), response.body)
        return response.code == 201
