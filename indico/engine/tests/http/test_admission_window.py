"""The admission window, on a loop that is blocked on purpose."""

from __future__ import annotations

import asyncio
import time
from unittest import IsolatedAsyncioTestCase

from ...http.admission_window import LARGEST, AdmissionWindow


class BurstTest(IsolatedAsyncioTestCase):
    def burst(self, target_seconds: float) -> AdmissionWindow:
        """Return a window from which 600 requests are taken after a delay, in one turn."""
        window = AdmissionWindow(target_seconds, lambda now: 0.0)
        window.take()
        time.sleep(0.05)
        for _ in range(600):
            if window.left:
                window.take()
        return window

    async def test_it_is_admitted_while_it_takes_little_time(self) -> None:
        self.assertEqual(self.burst(target_seconds=60).left, LARGEST - 601)

    async def test_it_is_stopped_once_it_takes_long(self) -> None:
        window = self.burst(target_seconds=0.001)
        self.assertEqual(window.left, 0)
        while not window.left:
            await asyncio.sleep(0.001)
        self.assertLess(window.left, 600)
