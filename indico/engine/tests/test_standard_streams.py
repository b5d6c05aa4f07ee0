"""The standard streams in the test's own process; `test_daemon` has those of processes."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

from ..log import LOGGER
from ..standard_streams import open_streams, reopen


class OpenTest(TestCase):
    def test_one_that_is_closed(self) -> None:
        for name in ("stdin", "stdout", "stderr"):
            with patch.object(sys, name, None):
                open_streams()
                opened = getattr(sys, name)
            with opened:
                self.assertEqual(opened.name, os.devnull)
                self.assertTrue(os.get_inheritable(opened.fileno()))


class ReopenTest(TestCase):
    def test_a_file_that_can_not_be_written(self) -> None:
        with tempfile.TemporaryDirectory(prefix="test-") as folder:
            file = Path(folder, "nowhere", "a.log")
            with self.assertLogs(LOGGER, "ERROR") as logs:
                reopen(file)
        (line,) = logs.output
        self.assertIn(f"log_file: {file} can't be written: No such file or directory.", line)
