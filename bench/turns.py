"""Servers that are measured in turns: all are up at once, and one at a time has the load."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench import load, machine
from bench.data import WORKLOADS, Data
from bench.mongodb import MongoDB, embedded
from bench.options import Options
from bench.results import IDLE, PEAK, Cell, Results
from bench.servers import Peer, Server, running

SCRATCH = Path(__file__).parent.parent / ".bench"
WARM_UP_SECONDS = 1
DATABASE = "bench"  # and the number of the server


class Run:
    """One run: it measures cell by cell, and in each cell one server after the other.

    `cores` are the servers' core, and the core of everything else.
    """

    def __init__(
        self, chosen: Options, mongodb: MongoDB, folder: Path, cores: tuple[int, int]
    ) -> None:
        self.options = chosen
        self.data = Data()
        self.data.write_requests(folder)
        self._mongodb = mongodb
        self._folder = folder
        self._core, self._other_core = cores
        self._measured = 0
        self._cells = 0
        self._begun = 0.0
        self._results = Results(
            self._facts(),
            {peer.name: machine.versions(peer.packages) for peer in chosen.servers},
            mongodb=chosen.mongodb,
        )

    def results(self, servers: list[Peer]) -> Results:
        self._cells = self.options.rounds * len(servers) * len(self.options.cells)
        self._begun = time.monotonic()
        with ExitStack() as stack:
            up = self._start(servers, stack)
            for number in range(self.options.rounds):
                turn = f"round {number + 1}/{self.options.rounds}"
                for cell in self.options.cells:
                    for peer in list(up):
                        self._measure(up, peer, cell, turn)
                    up = _rotated(up)
        return self._results

    @contextmanager
    def running(self, peer: Peer) -> Iterator[Server]:
        """Run the peer's server with a database of its own, and drop the database at the end."""
        database = f"{DATABASE}_{self.options.servers.index(peer)}"
        self.data.fill(self._mongodb.client, database)
        log = self._folder / f"{database}.log"
        with running(peer, self._mongodb.uri, database, self._core, log) as server:
            yield server
        self._mongodb.client.drop_database(database)

    def _start(self, servers: list[Peer], stack: ExitStack) -> dict[Peer, Server]:
        """Start all servers at once, so that a cell is measured on each within seconds."""
        up = {peer: stack.enter_context(self.running(peer)) for peer in servers}
        most = max(self.options.connections)
        for peer, server in up.items():
            print(f"warming {peer.name} up ...", flush=True)
            idle = _megabytes(server)
            self._results.memory[peer.name] = {IDLE.name: idle, PEAK.name: idle}
            for workload in self.options.workloads:
                load.run(server.port, workload, most, WARM_UP_SECONDS, self._folder)
        return up

    def _measure(self, up: dict[Peer, Server], peer: Peer, cell: Cell, turn: str) -> None:
        try:
            self._measure_cell(peer, up[peer], cell, turn)
        except (ChildProcessError, psutil.NoSuchProcess) as error:
            print(f"{turn}  {peer.name} failed: {error}", flush=True)
            self._results.invalid.append(f"{peer.name}, from {turn} on: {error}")
            del up[peer]

    def _measure_cell(self, peer: Peer, server: Server, cell: Cell, turn: str) -> None:
        (workload,) = [workload for workload in WORKLOADS if workload.name == cell[0]]
        server.wait_until_idle()
        before = self._used(server)
        seen = load.run(server.port, workload, cell[1], self.options.seconds, self._folder)
        self._results.add(peer.name, cell, seen, self._used(server).since(before))
        memory = self._results.memory[peer.name]
        memory[PEAK.name] = max(memory[PEAK.name], _megabytes(server))
        self._measured += 1
        print(
            f"{turn}  {peer.name:12} {cell[0]:6} {cell[1]:4} connections "
            f"{seen.requests / seen.seconds:9,.0f} requests/s  p99 {seen.p99_milliseconds:8.1f} ms"
            f"  {self._left()}{f'  ERRORS {seen.errors}' if seen.errors else ''}",
            flush=True,
        )

    def _used(self, server: Server) -> load.Used:
        return load.Used(
            server.processor_seconds(),
            self._mongodb.processor_seconds(),
            machine.busy_seconds(self._core),
            machine.ended_children_seconds(),
            machine.withheld_seconds(self._other_core),
        )

    def _left(self) -> str:
        """Estimate the time that the rest takes."""
        passed = time.monotonic() - self._begun
        minutes, seconds = divmod(passed / self._measured * (self._cells - self._measured), 60)
        return f"{minutes:.0f} min {seconds:02.0f} s left"

    def _facts(self) -> dict[str, str]:
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self.options.command,
            "rounds": f"{self.options.rounds}, {self.options.seconds} s a cell",
            **machine.description(),
            "MongoDB": f"{self._mongodb.version}, {self.options.mongodb}",
        }


@contextmanager
def prepared(chosen: Options) -> Iterator[Run]:
    """Run the MongoDB of a run, and yield the run. Raise `UnfitError` and `StartError`."""
    machine.require_wrk()
    cores = machine.two_cores()
    SCRATCH.mkdir(exist_ok=True)
    with (
        machine.pinned(cores[1]),
        tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder,
        embedded(Path(folder), chosen.mongodb) as mongodb,
    ):
        yield Run(chosen, mongodb, Path(folder), cores)


def _rotated(up: dict[Peer, Server]) -> dict[Peer, Server]:
    """Return the servers in an order that begins with the next one."""
    first, *others = up
    return {peer: up[peer] for peer in (*others, first)}


def _megabytes(server: Server) -> float:
    return server.memory_bytes() / 1e6
