"""The examples of docs/limits-and-jobs.md on jobs, run as they stand there."""

from __future__ import annotations

import asyncio
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mypy import api
from tornado.testing import gen_test

from indico.db import ObjectId, mongodb, now
from indico.engine.jobs.job_document import JOBS
from indico.engine.jobs.worker import JobWorker
from indico.service.jobs import Job
from indico.tests.server_process import ROOT
from indico.tests.test_data import ExamplesTest, examples

PAGE = (ROOT / "docs" / "limits-and-jobs.md").read_text()
SECTIONS = ("A job", "Schedules")


class JobsTest(ExamplesTest):
    page = PAGE
    sections = SECTIONS

    def setUp(self) -> None:
        self.enterContext(patch.dict(Job.declared, clear=True))
        self.indexed = [JOBS]
        super().setUp()

    async def run_jobs(self, query: dict[str, Any]) -> None:
        """Let a worker run until no job is like `query`."""
        worker = JobWorker(4, 3600)
        worker.start()
        async with asyncio.timeout(60):
            while await JOBS.exists(query):
                await asyncio.sleep(0.005)
        await worker.drain(60)

    @gen_test
    async def test_an_order(self) -> None:
        order_id = await self.names["order"]("tea")
        await self.names["pack"].later(ObjectId())  # no such order
        await self.run_jobs({"name": "pack", "due_at": {"$ne": None}})
        self.assertEqual(await self.names["PARCELS"].find({}), [{"_id": order_id, "what": "tea"}])
        (dead,) = await JOBS.find({"name": "pack"})
        self.assertEqual(dead["error"], "GiveUp: there is no such order")

    @gen_test
    async def test_a_schedule(self) -> None:
        ages = (1, 31)
        parcels = [{"_id": days, "packed_at": now() - timedelta(days=days)} for days in ages]
        await mongodb.parcels.insert_many(parcels)
        await self.run_jobs({"planned_at": {"$lt": now()}})
        while not await JOBS.exists({"planned_at": {"$gt": now()}}):
            await self.run_jobs({"planned_at": {"$lt": now()}})
        self.assertEqual([each["_id"] for each in await self.names["PARCELS"].find({})], [1])

    def test_mypy(self) -> None:
        code = [code for section in SECTIONS for code in examples(section, page=PAGE)]
        wrong = "\n\nasync def f() -> None:\n    await pack.later({}, 'one too many')\n"
        with tempfile.TemporaryDirectory(prefix="test-") as folder:
            file = Path(folder, "jobs.py")
            file.write_text("\n".join([*code, wrong]))
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(ROOT)
            printed = api.run(["--strict", str(file)])[0]
        self.assertRegex(printed, 'Too many arguments for "later" of "Job"')
