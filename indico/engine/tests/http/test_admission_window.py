"""The admission window, on a loop that is blocked on purpose."""

from __future__ import annotations

import asyncio
from unittest import IsolatedAsyncioTestCase

from ...http.admission_window import LARGEST, AdmissionWindow
from ...log import LOGGER
from ..load import compute


class TurnsTest(IsolatedAsyncioTestCase):
    """A loop whose turns each take as long as a few hundred small requests."""

    operations = 0.0

    async def size_after(self, operations_of_a_request: float) -> int:
        window = AdmissionWindow(0.05, lambda now: 0.0, lambda: self.operations)
        for _ in range(25):
            window.take()
            self.operations += operations_of_a_request
            compute(0.015)
            await asyncio.sleep(0)
        return window.left

    async def test_requests_without_operations_wait_for_few(self) -> None:
        self.assertGreater(await self.size_after(0), 1000)

    async def test_requests_with_operations_wait_for_more(self) -> None:
        with self.assertLogs(LOGGER, "WARNING"):
            self.assertLess(await self.size_after(2), 10)

    async def test_a_few_operations(self) -> None:
        self.assertGreater(await self.size_after(0.1), 1000)


class IdleTest(IsolatedAsyncioTestCase):
    async def test_too_much_load_is_over_once_no_request_comes(self) -> None:
        window = AdmissionWindow(0.01, lambda now: 1.0, lambda: 0)
        with self.assertLogs(LOGGER, "WARNING"):
            while window.left > 1:
                if window.left == LARGEST:
                    window.take()
                await asyncio.sleep(0)
        window._elsewhere = lambda now: 0.0
        async with asyncio.timeout(60):
            while window.left < LARGEST:
                await asyncio.sleep(0.001)


class BurstTest(IsolatedAsyncioTestCase):
    def burst(self, target_seconds: float) -> AdmissionWindow:
        """Return a window from which 600 requests are taken after a delay, in one turn."""
        window = AdmissionWindow(target_seconds, lambda now: 0.0, lambda: 0)
        window.take()
        compute(0.05)
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
