"""wrk: what it prints, and how it is started."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from unittest import TestCase, skipUnless

from bench import data, load

OUTPUT = """Running 1s test @ http://127.0.0.1:8888
  1 threads and 8 connections
  3000 requests in 1.50s, 1.00MB read
Requests/sec:   2000.00

RESULT {"requests": 3000, "microseconds": 1500000, "p50": 4000, "p99": 12500, "errors": \
{"status": 0, "connect": 0, "read": 2, "write": 0, "timeout": 0}}
"""


class LoadTest(TestCase):
    def test_valid(self) -> None:
        seen = load.parse(OUTPUT)
        self.assertEqual(seen, load.Load(3000, 1.5, 4.0, 12.5, {"read": 2}))

    def test_no_result(self) -> None:
        with self.assertRaises(ValueError):
            load.parse("unable to connect to 127.0.0.1:8888 Connection refused\n")


@skipUnless(shutil.which("wrk") or "NO_SKIPS" in os.environ, "this needs wrk")
class WrkTest(TestCase):
    integration = True

    def test_no_server(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data.Data(1).write_requests(Path(folder))
            with self.assertRaisesRegex(ChildProcessError, "wrk: unable to connect"):
                load.run(1, data.WORKLOADS[0], 1, 1, Path(folder))
