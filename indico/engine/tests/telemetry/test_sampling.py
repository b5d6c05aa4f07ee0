"""Sampling, with pauses of a millisecond."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from unittest import IsolatedAsyncioTestCase
from unittest.mock import patch

from prometheus_client import generate_latest

from ...telemetry import metrics, sampling


class WatchTest(IsolatedAsyncioTestCase):
    async def test_it_samples_until_cancelled(self) -> None:
        with (
            patch.object(sampling, "LAG_SECONDS", 0.001),
            patch.object(sampling, "LAGS_PER_SAMPLE", 2),
            patch.object(sampling, "sample_process") as sample,
        ):
            watching = asyncio.create_task(sampling.watch(lambda: 7))
            async with asyncio.timeout(30):
                while sample.call_count < 3:
                    await asyncio.sleep(0.001)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        self.assertIn("requests_in_flight 7.0", generate_latest(metrics.REGISTRY).decode())
        metrics.IN_FLIGHT.set(0)
