"""Jobs in the processes of a server: several run them, a schedule runs once, a stop waits."""

from __future__ import annotations

import os
import signal
from typing import Any

from pymongo import MongoClient

from ...jobs.job_document import JOBS
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import mongodb_uri
from .server import PROGRAM


class JobServer(ServerProcess):
    server = PROGRAM.server


class ProcessesTest(ProcessTest):
    """A server with two workers, each of which has one place for jobs."""

    server_class = JobServer
    seconds = 5

    def setUp(self) -> None:
        super().setUp()
        client: MongoClient[Any] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        self.database = client[f"test_job_processes_{os.getpid()}"]
        self.addCleanup(client.drop_database, self.database)

    def marks(self, what: str) -> int:
        return self.database.job_marks.count_documents({"what": what})

    def left(self) -> set[str]:
        return {each["name"] for each in self.database[JOBS.name].find()}

    def test_valid(self) -> None:
        server = self.serve(
            *("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.database.name),
            *("--processes", "2", "--job-concurrency", "1"),
        )

        def queue(name: str, **arguments: Any) -> str:
            status, job_id = server.call("/job/queue", {"name": name, "arguments": arguments})
            self.assertEqual(status, 200)
            return str(job_id)

        meetings = [queue("meet", processes=2) for _ in range(2)]
        self.assertEqual(server.call("/job/add", {"key": "of an action"})[0], 201)
        until(lambda: self.left() == {"be_daily"})
        self.assertEqual([self.marks(what) for what in ("meet", "of an action")], [2, 1])
        for job_id in meetings:
            self.assertRegex(
                server.printed(), rf"job meet {job_id}, attempt 1 of 8, done in .* id="
            )
        self.a_stop_waits(server, queue("hold"))
        self.assertEqual((self.marks("daily"), self.left()), (1, {"be_daily"}))

    def a_stop_waits(self, server: ServerProcess, job_id: str) -> None:
        until(lambda: self.marks("hold"))
        server.signal(signal.SIGTERM)
        until(lambda: "stopping, once what is in flight has finished" in server.printed())
        self.assertIsNone(server.process.poll())
        self.database.job_marks.insert_one({"what": "go"})
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.marks("held"), 1)
        self.assertIn(f"job hold {job_id}, attempt 1 of 8, done in", server.printed())
