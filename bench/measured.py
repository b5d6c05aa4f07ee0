"""A server whose answers to thousands of clients are measured: the steps of `bench overload`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import machine
from bench.clients import NO_PAUSES, Clients, requests
from bench.data import Workload
from bench.load import Used
from bench.mongodb import MongoDB
from bench.overload_report import Step
from bench.servers import OURS, Server, running

DATABASE = "bench_overload"
CAPACITY_CONNECTIONS = 256
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Run:
    """One run; `core` is the server's own core."""

    mongodb: MongoDB
    folder: Path
    core: int
    seconds: float
    most_clients: int


class Measured:
    """A running server and its requests."""

    def __init__(self, run: Run, server: Server, workload: Workload) -> None:
        self._run = run
        self.server = server
        self._requests = requests(run.folder / workload.name)

    def step(self, count: int, patient: bool = False) -> Step:
        """Measure `count` clients, which start some time before the measurement.

        Only `patient` ones wait for `Retry-After`.
        """
        count = max(1, min(count, self._run.most_clients))
        with closing(Clients(self.server.port, self._requests, patient=patient)) as clients:
            clients.open(count)
            self.server.wait_until_idle()
            clients.ask(count, SETTLE_SECONDS * (2 if patient else 1))  # `Retry-After` has to grow
            before, own = self._used(), time.process_time()
            seen = clients.ask(count, self._run.seconds)
            used, own = self._used().since(before), time.process_time() - own
            clients.rest()
        return Step(
            offered=count,
            accepted=len(seen.accepted) / seen.seconds,
            refused=len(seen.refused) / seen.seconds,
            errors=seen.errors,
            accepted_p50=_part(seen.accepted, 0.5),
            accepted_p99=_part(seen.accepted, 0.99),
            refused_p50=_part(seen.refused, 0.5),
            refused_p99=_part(seen.refused, 0.99),
            server=used.server / seen.seconds,
            mongodb=used.mongodb / seen.seconds,
            load=own / seen.seconds,
            others=max(0.0, used.core - used.server) / seen.seconds,
        )

    def capacity(self) -> float:
        """Estimate the answers/s, for the size of the steps."""
        with closing(Clients(self.server.port, self._requests, NO_PAUSES)) as clients:
            clients.open(CAPACITY_CONNECTIONS)
            clients.ask(CAPACITY_CONNECTIONS, SETTLE_SECONDS)
            seen = clients.ask(CAPACITY_CONNECTIONS, SETTLE_SECONDS)
            clients.rest()
        return len(seen.accepted) / seen.seconds

    def _used(self) -> Used:
        return Used(
            self.server.processor_seconds(),
            self._run.mongodb.processor_seconds(),
            machine.busy_seconds(self._run.core),
        )


@contextmanager
def measured(run: Run, workload: Workload, flags: tuple[str, ...]) -> Iterator[Measured]:
    log = run.folder / "server.log"
    peer = replace(OURS, flags=flags)
    with running(peer, run.mongodb.uri, DATABASE, run.core, log) as server:
        yield Measured(run, server, workload)


def hold(seconds: int) -> bytes:
    body = b'{"seconds":%d}' % seconds
    return b"POST /wait/hold HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


def _part(values: list[float], part: float) -> float | None:
    return sorted(values)[int(len(values) * part)] if values else None
