"""Every figure that `/metrics` answers, and how it is counted.

With the environment variable `PROMETHEUS_MULTIPROC_DIR`, set before Python starts, the figures are
kept in files of that folder, and each process that has it answers for all of them.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import platform
from collections.abc import Callable, Iterable
from threading import Lock
from time import perf_counter

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .processes import forget_process, shared_registry

__all__ = ["count_operation", "count_request", "forget_process", "page", "refresh", "watch"]

LAG_SECONDS = 0.25
LAGS_PER_REFRESH = 20
FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SLOW = (*FAST[1:], 10, 30)


class ConnectionCount:
    """How many connections there are, as the driver's threads tell."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.open = 0
        self.in_use = 0

    def add(self, open: int = 0, in_use: int = 0) -> None:
        with self._lock:
            self.open += open
            self.in_use += in_use


disable_created_metrics()
_REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "requests",
    "Requests that were answered; 499 is one whose client went away.",
    ("resource", "action", "status"),
    registry=_REGISTRY,
)
REFUSED = Counter(
    "requests_refused",
    "Requests that were one too many for `max_in_flight`, and answered 503 at once.",
    registry=_REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "request_duration_seconds",
    "From a request's first byte to the last of its answer.",
    ("resource", "action"),
    buckets=SLOW,
    registry=_REGISTRY,
)
IN_FLIGHT = Gauge(
    "requests_in_flight",
    "Requests that have no whole answer yet.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
LAG = Histogram(
    "event_loop_lag_seconds",
    "How much later than it asked to a task is woken.",
    buckets=FAST,
    registry=_REGISTRY,
)
OPERATION_SECONDS = Histogram(
    "database_operation_duration_seconds",
    "An operation of a Collection, as who called it waited for it.",
    ("collection", "operation"),
    buckets=FAST,
    registry=_REGISTRY,
)
OPERATION_ERRORS = Counter(
    "database_operation_errors",
    "Operations that raised an error, or were cancelled.",
    ("collection", "operation", "error"),
    registry=_REGISTRY,
)
BATCH_SIZE = Histogram(
    "database_batch_size_operations",
    "Operations that shared a round trip.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 500),
    registry=_REGISTRY,
)
CONNECTIONS = Gauge(
    "database_connections",
    "Connections to MongoDB that are open.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTIONS_IN_USE = Gauge(
    "database_connections_in_use",
    "Connections to MongoDB on which an operation is under way.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTION_WAIT = Histogram(
    "database_connection_wait_seconds",
    "What an operation waits for a connection, until it has one or gives up.",
    buckets=FAST,
    registry=_REGISTRY,
)
CPU_SECONDS = Gauge(
    "process_cpu_seconds",
    "Processor time that a process has used.",
    ("pid",),
    registry=_REGISTRY,
    multiprocess_mode="liveall",
)
MEMORY = Gauge(
    "process_resident_memory_bytes",
    "What of a process is in memory.",
    ("pid",),
    registry=_REGISTRY,
    multiprocess_mode="liveall",
)
OPEN_FILES = Gauge(
    "process_open_fds",
    "Files and sockets that a process has open.",
    ("pid",),
    registry=_REGISTRY,
    multiprocess_mode="liveall",
)
START_TIME = Gauge(
    "process_start_time_seconds",
    "When a process began, since 1970.",
    ("pid",),
    registry=_REGISTRY,
    multiprocess_mode="liveall",
)
BUILD = Gauge(
    "build_info",
    "1, for the version that runs.",
    ("version", "python"),
    registry=_REGISTRY,
    multiprocess_mode="livemax",
)

connections = ConnectionCount()

# The children of the metrics above by their labels: `labels()` takes longer than to count.
_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
_operations: dict[tuple[str, str], Histogram] = {}


def identify(version: str) -> None:
    """Tell the version of the project that runs."""
    BUILD.labels(version, platform.python_version()).set(1)


def count_request(resource: str, action: str, status: int, seconds: float) -> None:
    children = _requests.get((resource, action, status))
    if children is None:
        children = _requests[resource, action, status] = (
            REQUESTS.labels(resource, action, status),
            REQUEST_SECONDS.labels(resource, action),
        )
    counter, histogram = children
    counter.inc()
    histogram.observe(seconds)


def count_operation(collection: str, operation: str, seconds: float) -> None:
    histogram = _operations.get((collection, operation))
    if histogram is None:
        histogram = OPERATION_SECONDS.labels(collection, operation)
        _operations[collection, operation] = histogram
    histogram.observe(seconds)


def page(prefix: str, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return all metrics in the format that `accept` asks for, and the headers of the answer.

    The name of each metric begins with `prefix`.
    """
    refresh()
    try:
        encode, kind = choose_encoder(accept)
    except (TypeError, ValueError):  # it asks for what is no version
        encode, kind = choose_encoder("")
    with shared_registry(_REGISTRY) as registry:
        text = encode(_Prefixed(registry, prefix))
    headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
    if gzip_accepted(accept_encoding):
        return gzip.compress(text, 1), headers | {"Content-Encoding": "gzip"}
    return text, headers


class _Prefixed(Collector):
    """The metrics of a registry, each name with a prefix."""

    def __init__(self, registry: Collector, prefix: str) -> None:
        self._registry = registry
        self._prefix = prefix

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            prefixed = Metric(self._prefix + metric.name, metric.documentation, metric.type)
            prefixed.samples = [s._replace(name=self._prefix + s.name) for s in metric.samples]
            yield prefixed


async def watch(in_flight: Callable[[], int]) -> None:
    """Keeps up what nobody counts as it happens, for as long as the loop runs."""
    while True:
        refresh()
        for _ in range(LAGS_PER_REFRESH):
            IN_FLIGHT.set(in_flight())
            CONNECTIONS.set(connections.open)
            CONNECTIONS_IN_USE.set(connections.in_use)
            asked = perf_counter() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            LAG.observe(max(0.0, perf_counter() - asked))


def refresh() -> None:
    """The figures of this process; prometheus-client's own are not for several processes."""
    CONNECTIONS.set(connections.open)
    CONNECTIONS_IN_USE.set(connections.in_use)
    process, pid = psutil.Process(), str(os.getpid())
    with process.oneshot():
        times = process.cpu_times()
        CPU_SECONDS.labels(pid).set(times.user + times.system)
        MEMORY.labels(pid).set(process.memory_info().rss)
        START_TIME.labels(pid).set(process.create_time())
        if os.name == "posix":  # pragma: no branch - Windows
            OPEN_FILES.labels(pid).set(process.num_fds())
