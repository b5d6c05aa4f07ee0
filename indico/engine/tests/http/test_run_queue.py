"""The time for which a thread waits for a processor."""

from __future__ import annotations

from unittest import TestCase
from unittest.mock import patch

from ...http import run_queue


class WaitedTest(TestCase):
    def setUp(self) -> None:
        run_queue._schedstat.cache_clear()
        self.addCleanup(run_queue._schedstat.cache_clear)

    def test_it_never_falls(self) -> None:
        before = run_queue.waited_seconds()
        sum(range(100_000))
        self.assertGreaterEqual(run_queue.waited_seconds(), before)

    def test_a_system_that_does_not_tell(self) -> None:
        with patch("os.open", side_effect=FileNotFoundError):
            self.assertEqual(run_queue.waited_seconds(), 0)

    def test_what_it_tells(self) -> None:
        with patch("os.open", return_value=5), patch("os.pread", return_value=b"7 2500000000 3\n"):
            self.assertEqual(run_queue.waited_seconds(), 2.5)
