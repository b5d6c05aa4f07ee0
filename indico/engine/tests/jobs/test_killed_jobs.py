"""Servers that are killed while they queue jobs and run them."""

from __future__ import annotations

import sys
from collections import Counter

from ...jobs.job_document import JOBS
from ..process import test_killed_calls as killed_calls
from ..server_process import ServerProcess, until
from .server import PROGRAM

KILLS = killed_calls.KILLS  # SERVER_KILLS=50 in the environment kills so many servers


class JobServer(ServerProcess):
    server = PROGRAM.server


class KilledJobsTest(killed_calls.KilledTest):
    """Each call queues a job in its transaction, and each job has run in the end."""

    server_class = JobServer
    flags = ("--job-lease-seconds", "2")
    path = "/job/add"
    kills = KILLS or 2
    seconds = 6

    def test_killed(self) -> None:
        super().test_killed()
        stored = self.mongodb[self.database]
        until(lambda: {each["name"] for each in stored[JOBS.name].find()} == {"be_daily"})
        runs = Counter(mark["what"] for mark in stored.job_marks.find())
        self.assertGreaterEqual(runs.pop("daily"), 1)
        self.assertEqual(set(runs), set(self.keys))
        if KILLS:
            again = runs.total() - len(runs)
            sys.stderr.write(f"{len(runs)} jobs, 0 lost, {again} of them ran twice or more\n")
