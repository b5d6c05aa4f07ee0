"""The metrics of a server, and how they are counted. Each name gets its prefix when rendered."""

from __future__ import annotations

import platform
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SLOW = (*FAST[1:], 10, 30)

disable_created_metrics()
REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "requests",
    "Requests that were answered; 499: the client went away.",
    ("resource", "action", "status"),
    registry=REGISTRY,
)
REFUSED = Counter(
    "requests_refused",
    "Requests that were answered 503 at once, because of too much load.",
    registry=REGISTRY,
)
DEPRECATED = Counter(
    "deprecated_requests",
    "Requests to an action that is deprecated or withdrawn.",
    ("resource", "action"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "request_duration_seconds",
    "Time from the first byte of a request to the last byte of its answer.",
    ("resource", "action"),
    buckets=SLOW,
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "requests_in_flight",
    "Requests without a complete answer.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
TCP_CONNECTIONS = Gauge(
    "tcp_connections",
    "Open connections to the TCP service.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
LAG = Histogram(
    "event_loop_lag_seconds",
    "Delay with which the event loop wakes a task.",
    buckets=FAST,
    registry=REGISTRY,
)
OPERATION_SECONDS = Histogram(
    "database_operation_duration_seconds",
    "Time that the caller of a Collection's operation waits.",
    ("collection", "operation"),
    buckets=FAST,
    registry=REGISTRY,
)
OPERATION_ERRORS = Counter(
    "database_operation_errors",
    "Operations that raised an error or were cancelled.",
    ("collection", "operation", "error"),
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "database_batch_size_operations",
    "Operations that shared a round trip.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 500),
    registry=REGISTRY,
)
CONNECTIONS = Gauge(
    "database_connections",
    "Open connections to MongoDB.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTIONS_IN_USE = Gauge(
    "database_connections_in_use",
    "Connections to MongoDB with an operation in flight.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTION_WAIT = Histogram(
    "database_connection_wait_seconds",
    "Time that an operation waits for a connection.",
    buckets=FAST,
    registry=REGISTRY,
)
JOB_SECONDS = Histogram(
    "job_duration_seconds",
    "Time that an attempt at a job takes.",
    ("name",),
    buckets=SLOW,
    registry=REGISTRY,
)
JOBS_ENDED = Counter(
    "jobs_ended",
    "Attempts at jobs: done, failed and to be repeated, or dead.",
    ("name", "outcome"),
    registry=REGISTRY,
)
JOBS_RUNNING = Gauge(
    "jobs_running",
    "Jobs that run.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
JOBS_STORED = Gauge(
    "jobs_stored",
    "Jobs in the database: queued, with those that run, or dead.",
    ("state",),
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
CPU_SECONDS = Gauge(
    "process_cpu_seconds",
    "Processor time that a process has used.",
    ("pid",),
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
MEMORY = Gauge(
    "process_resident_memory_bytes",
    "Memory that a process occupies.",
    ("pid",),
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
OPEN_FILES = Gauge(
    "process_open_fds",
    "Open files and sockets of a process.",
    ("pid",),
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
START_TIME = Gauge(
    "process_start_time_seconds",
    "Start time of a process, since 1970.",
    ("pid",),
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
BUILD = Gauge(
    "build_info",
    "1, labelled with the version that runs.",
    ("version", "python"),
    registry=REGISTRY,
    multiprocess_mode="livemax",
)


# The children of the metrics above, by their labels, because `labels()` costs more than counting.
_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
_operations: dict[tuple[str, str], Histogram] = {}


def identify(version: str) -> None:
    """Record the version of the project that this process runs."""
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


class ConnectionCount:
    """The number of connections to MongoDB, counted by the driver's threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.open = 0
        self.in_use = 0

    def add(self, open: int = 0, in_use: int = 0) -> None:
        with self._lock:
            self.open += open
            self.in_use += in_use


connections = ConnectionCount()
