"""One bucket whose tokens several processes take at the same time."""

from __future__ import annotations

import subprocess
import sys

from ...limits.buckets import RATE_LIMITS
from ..server_test import ServerTest
from . import taking_process

PROCESSES = 4


class ProcessesTest(ServerTest):
    """Four processes with five clients each, and a limit of 1000 a day."""

    varies_with = ()

    def test_within_a_hundredth(self) -> None:
        arguments = (taking_process.__name__, self.uri(), self.database, str(PROCESSES))
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)  # closes the pipe, at which the processes end
        assert process.stdout and process.stdin
        for _ in range(PROCESSES):
            self.assertEqual(process.stdout.readline(), "ready\n")
        process.stdin.write("g" * PROCESSES)
        process.stdin.flush()
        taken = [int(process.stdout.readline()) for _ in range(PROCESSES)]
        self.assertTrue(1000 <= sum(taken) <= 1010, taken)
        self.assertEqual(len(self.stored(RATE_LIMITS.name)), 1)
