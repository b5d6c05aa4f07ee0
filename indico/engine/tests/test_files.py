"""The limit of open files."""

from __future__ import annotations

import resource
from unittest import TestCase
from unittest.mock import patch

from .. import files
from .server_process import ProcessTest
from .server_test import mongodb_uri

NOFILE = resource.RLIMIT_NOFILE


class LimitTest(TestCase):
    def test_requests_leave_files_for_others(self) -> None:
        for hard, requests in ((20_000, 19_500), (1024, 524), (256, 128)):
            with patch("resource.getrlimit", return_value=(256, hard)):
                self.assertEqual(files.most_requests(), requests)

    def test_a_system_that_names_no_limit_and_refuses_more(self) -> None:
        unlimited = resource.RLIM_INFINITY
        for answers in ([ValueError, None], [ValueError, ValueError]):
            with (
                patch("resource.getrlimit", return_value=(256, unlimited)),
                patch("resource.setrlimit", side_effect=answers) as set_limit,
            ):
                files.raise_limit()
            set_limit.assert_called_with(NOFILE, (10_240, unlimited))


class ServerLimitTest(ProcessTest):
    def test_a_server_takes_all_that_it_may(self) -> None:
        before = resource.getrlimit(NOFILE)
        self.addCleanup(resource.setrlimit, NOFILE, before)
        resource.setrlimit(NOFILE, (1024, before[1]))
        server = self.serve("--mongodb-uri", mongodb_uri())
        taken = resource.prlimit(server.process.pid, NOFILE)
        self.assertEqual(taken, (before[1], before[1]))
