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

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", taking_process.__name__, self.uri(), self.database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)  # closes the pipe, at which the process ends
        return process

    def test_within_a_hundredth(self) -> None:
        processes = [self.start() for _ in range(PROCESSES)]
        for process in processes:
            assert process.stdout
            self.assertEqual(process.stdout.readline(), "ready\n")
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        taken = [int(process.communicate()[0]) for process in processes]
        self.assertTrue(1000 <= sum(taken) <= 1010, taken)
        self.assertEqual(len(self.stored(RATE_LIMITS.name)), 1)
