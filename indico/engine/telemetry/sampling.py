"""Metrics that are sampled, because no event changes them: the process, connections, loop lag."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter

import psutil

from . import metrics

LAG_SECONDS = 0.25
LAGS_PER_SAMPLE = 20


async def watch(in_flight: Callable[[], int]) -> None:
    """Sample until cancelled; `in_flight` returns the number of requests in flight."""
    while True:
        sample_process()
        for _ in range(LAGS_PER_SAMPLE):
            metrics.IN_FLIGHT.set(in_flight())
            _sample_connections()
            wanted = perf_counter() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            metrics.LAG.observe(max(0.0, perf_counter() - wanted))


def sample_process() -> None:
    """Sample this process, because prometheus-client's own metrics tell of one process only."""
    _sample_connections()
    process, pid = psutil.Process(), str(os.getpid())
    with process.oneshot():
        times = process.cpu_times()
        metrics.CPU_SECONDS.labels(pid).set(times.user + times.system)
        metrics.MEMORY.labels(pid).set(process.memory_info().rss)
        metrics.START_TIME.labels(pid).set(process.create_time())
        if os.name == "posix":  # pragma: no branch - Windows
            metrics.OPEN_FILES.labels(pid).set(process.num_fds())


def _sample_connections() -> None:
    metrics.CONNECTIONS.set(metrics.connections.open)
    metrics.CONNECTIONS_IN_USE.set(metrics.connections.in_use)
