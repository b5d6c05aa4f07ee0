"""The meaning of signals, in the test's own process; other tests send them."""

from __future__ import annotations

import asyncio
import os
import signal
from unittest import TestCase
from unittest.mock import patch

from ...process import signals
from ..async_test import AsyncTest
from .in_process import restored


class IgnoreReloadTest(TestCase):
    """SIGHUP in a parent without workers yet.

    The handler is called here. A signal may arrive while coverage works, which then sees nothing.
    """

    def setUp(self) -> None:
        self.enterContext(restored())
        stop = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        self.enterContext(patch.object(signals, "STOP", stop))  # also under nohup

    def hang_up(self, *terminal: bool) -> None:
        """Take SIGHUP; `terminal` says whether there is one, first and at the signal."""
        with patch.object(signals, "has_terminal", side_effect=terminal):
            signals.ignore_reload()
            handler = signal.getsignal(signal.SIGHUP)
            assert callable(handler)
            handler(signal.SIGHUP, None)

    def test_no_terminal(self) -> None:
        self.hang_up(False)

    def test_the_terminal_is_open(self) -> None:
        self.hang_up(True, True)

    def test_the_terminal_is_closed(self) -> None:
        with self.assertRaises(SystemExit) as raised:
            self.hang_up(True, False)
        self.assertEqual(raised.exception.code, 128 + signal.SIGHUP)

    def test_under_nohup(self) -> None:
        with patch.object(signals, "STOP", [signal.SIGINT, signal.SIGTERM]):
            self.hang_up()


class AtEndTest(AsyncTest):
    async def test_the_other_end_is_closed(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        ended = asyncio.Event()
        signals.at_end(reading, ended.set)
        os.close(writing)
        await asyncio.wait_for(ended.wait(), 60)
        self.assertFalse(asyncio.get_running_loop().remove_reader(reading))
