"""The command of jobs: what it prints and changes, and the jobs that it runs itself."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from pymongo import MongoClient

from ...jobs import Job, job
from ...jobs.command import main
from ...jobs.job_document import JOBS
from ...mongo.clock import now
from ...mongo.driver import ObjectId
from ..process.in_process import run_main
from ..server_test import mongodb_uri, test_database
from .job_test import document


class CommandTest(TestCase):
    integration = True

    def setUp(self) -> None:
        self.enterContext(patch.dict(Job.declared, clear=True))
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri(), tz_aware=True)
        self.addCleanup(client.close)
        self.db = client[test_database(self)]
        self.addCleanup(client.drop_database, self.db)
        self.jobs = self.db[JOBS.name]

        @job()
        async def deliver(to: str) -> None: ...

        @job(every="1 day")
        async def clean_up() -> None: ...

        @job(every="1 day")
        async def rotate() -> None: ...

    def run_command(self, *flags: str) -> tuple[int, str]:
        """Return the exit code, and what is printed."""
        database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.db.name)
        code, printed = run_main(*database, *flags, main=main)
        return code, printed.rstrip()

    def insert_dead(self, attempts: int = 8) -> ObjectId:
        job_id = ObjectId()
        failure = {"error": "KeyError: 5", "failed_at": datetime(2026, 11, 30, 12, tzinfo=UTC)}
        dead = document("deliver", _id=job_id, attempts=attempts, due_at=None, **failure)
        self.jobs.insert_one({**dead, "arguments": {"to": "Ada"}})
        return job_id

    def test_counts(self) -> None:
        self.assertEqual(self.run_command(), (0, "there are no jobs"))
        self.insert_dead()
        next_run = datetime(2026, 12, 1, 3, tzinfo=UTC)
        for each in (
            *(document("deliver"), document("deliver"), document("deliver", lease=ObjectId())),
            document("clean_up", _id="clean_up", due_at=next_run),
            document("rotate", _id="rotate", due_at=next_run, lease=ObjectId()),
            document("of older code"),
        ):
            self.jobs.insert_one({**each})
        code, printed = self.run_command()
        self.assertEqual(code, 0)
        self.assertEqual(
            printed.splitlines(),
            [
                "clean_up  1 queued, 0 running, 0 dead, next at 2026-12-01 03:00:00",
                "deliver  2 queued, 1 running, 1 dead",
                "of older code  1 queued, 0 running, 0 dead, not in this code",
                "rotate  0 queued, 1 running, 0 dead",
            ],
        )

    def test_dead(self) -> None:
        self.assertEqual(self.run_command("--dead"), (0, ""))
        job_id = self.insert_dead()
        self.jobs.insert_one({**document("deliver")})
        self.assertEqual(
            self.run_command("--dead"),
            (
                0,
                f"{job_id}  deliver  8 attempts, the last at 2026-11-30 12:00:00: KeyError: 5\n"
                "    {'to': 'Ada'}",
            ),
        )
        self.jobs.delete_many({})
        self.insert_dead(attempts=1)
        self.assertIn("  1 attempt, the last at", self.run_command("--dead")[1])

    def test_retry(self) -> None:
        job_id, other = self.insert_dead(), self.insert_dead()
        self.assertEqual(self.run_command("--retry", str(job_id)), (0, f"{job_id} runs again"))
        found = self.jobs.find_one({"_id": job_id}) or {}
        self.assertEqual((found["attempts"], found["lease"]), (0, None))
        self.assertLess(abs(found["due_at"] - now()), timedelta(minutes=5))
        self.assertEqual(self.jobs.count_documents({"_id": other, "due_at": None}), 1)
        code, printed = self.run_command("--retry", str(job_id))
        self.assertEqual((code, printed.partition(": ")[2]), (1, "no dead job has this id"))
        self.assertEqual(self.run_command("--retry-all"), (0, "dead jobs that run again: 1"))
        self.assertEqual(self.jobs.count_documents({"due_at": None}), 0)

    def test_delete(self) -> None:
        job_id = self.insert_dead()
        running = document("deliver", _id="x", lease=ObjectId())
        self.jobs.insert_one({**running})
        self.assertEqual(self.run_command("--delete", str(job_id)), (0, f"{job_id} is deleted"))
        code, printed = self.run_command("--delete", "x")
        self.assertEqual(code, 1)
        self.assertIn(": no job that does not run has this id", printed)
        self.assertEqual(self.jobs.count_documents({}), 1)

    def test_work(self) -> None:
        """A signal lets the running job end."""

        @job()
        async def stop_all() -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        self.jobs.insert_one({**document("stop_all")})
        del Job.declared["clean_up"], Job.declared["rotate"]
        code, printed = self.run_command("--work", "--job-concurrency", "2")
        self.assertEqual(code, 0)
        self.assertIn("runs up to 2 jobs at once", printed)
        self.assertRegex(printed, r"INFO job stop_all .* done in ")
        self.assertEqual(self.jobs.count_documents({}), 0)

    def test_wrong_flags(self) -> None:
        with self.assertRaises(SystemExit) as raised:
            self.run_command("--dead", "--retry-all")
        self.assertEqual(raised.exception.code, 2)
