"""`bench peers`: indico beside other frameworks, the same work for all, in turns."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench import answers, chart, load, machine, options, report
from bench.data import WORKLOADS, Data
from bench.goals import goals, tails
from bench.mongodb import MongoDB, embedded
from bench.options import Options
from bench.results import IDLE, PEAK, Cell, Results
from bench.servers import Peer, Server, running

HERE = Path(__file__).parent
SCRATCH = HERE.parent / ".bench"
WARM_UP_SECONDS = 1
DATABASE = "bench"  # and the number of the server


def main(arguments: list[str]) -> int:
    """Measure, write the results, and return 0 if no server or cell is missing."""
    chosen = options.parse(arguments)
    machine.require_wrk()
    server_core, other_core = machine.two_cores()
    SCRATCH.mkdir(exist_ok=True)
    with (
        machine.pinned(other_core),
        tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder,
        embedded(Path(folder)) as mongodb,
    ):
        results = Run(chosen, mongodb, Path(folder), server_core).results()
    written = write(results, HERE if chosen.complete else SCRATCH)
    print(f"\n{report.markdown(results)}\nKept in {', '.join(map(str, written))}")
    return 1 if results.left_out or results.invalid else 0


def write(results: Results, folder: Path) -> list[Path]:
    """Write every round, the tables and the pictures, and return the files."""
    texts = {
        "results.json": json.dumps(_as_json(results), indent=1) + "\n",
        "results.md": report.markdown(results),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [*(folder / name for name in texts), *chart.draw(folder)]


def _as_json(results: Results) -> dict[str, Any]:
    return {
        **results.as_json(),
        "goals": [asdict(goal) for goal in goals(results)],
        "tails": [asdict(tail) for tail in tails(results)],
    }


class Run:
    """One run: servers with the same answers are measured cell by cell, one server at a time."""

    def __init__(self, chosen: Options, mongodb: MongoDB, folder: Path, core: int) -> None:
        self._options = chosen
        self._mongodb = mongodb
        self._folder = folder
        self._core = core
        self._data = Data()
        self._data.write_requests(folder)
        self._measured = 0
        self._cells = 0
        self._begun = 0.0
        self._results = Results(
            self._facts(), {peer.name: machine.versions(peer.packages) for peer in chosen.servers}
        )

    def results(self) -> Results:
        servers = self._those_that_answer_the_same()
        self._cells = self._options.rounds * len(servers) * len(self._options.cells)
        self._begun = time.monotonic()
        with ExitStack() as stack:
            up = self._start(servers, stack)
            for number in range(self._options.rounds):
                turn = f"round {number + 1}/{self._options.rounds}"
                for cell in self._options.cells:
                    for peer in list(up):
                        self._measure(up, peer, cell, turn)
                    up = _rotated(up)
        return self._results

    def _start(self, servers: list[Peer], stack: ExitStack) -> dict[Peer, Server]:
        """Start all servers at once, so that a cell is measured on each within seconds."""
        up = {peer: stack.enter_context(self._running(peer)) for peer in servers}
        most = max(self._options.connections)
        for peer, server in up.items():
            print(f"warming {peer.name} up ...", flush=True)
            idle = _megabytes(server)
            self._results.memory[peer.name] = {IDLE.name: idle, PEAK.name: idle}
            for workload in self._options.workloads:
                load.run(server.port, workload, most, WARM_UP_SECONDS, self._folder)
        return up

    def _those_that_answer_the_same(self) -> list[Peer]:
        """Return the servers with the same answers as indico, which is the first one."""
        same: list[Peer] = []
        ours: answers.Answers = {}
        for peer in self._options.servers:
            print(f"comparing the answers of {peer.name} ...", flush=True)
            try:
                with self._running(peer) as server:
                    theirs = answers.answers(server.port, self._data)
            except (ChildProcessError, OSError, ValueError) as error:
                why = str(error)
            else:
                ours = ours or theirs
                why = answers.difference(ours, theirs)
            if why and not same:
                raise machine.UnfitError(f"bench: indico itself is not there: {why}")
            if why:
                print(f"  left out: {why}", flush=True)
                self._results.left_out[peer.name] = why
            else:
                same.append(peer)
        return same

    @contextmanager
    def _running(self, peer: Peer) -> Iterator[Server]:
        """Run the peer's server with a database of its own, and drop the database at the end."""
        database = f"{DATABASE}_{self._options.servers.index(peer)}"
        self._data.fill(self._mongodb.client, database)
        log = self._folder / f"{database}.log"
        with running(peer, self._mongodb.uri, database, self._core, log) as server:
            yield server
        self._mongodb.client.drop_database(database)

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
        seen = load.run(server.port, workload, cell[1], self._options.seconds, self._folder)
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
        )

    def _left(self) -> str:
        """Estimate the time that the rest takes."""
        passed = time.monotonic() - self._begun
        minutes, seconds = divmod(passed / self._measured * (self._cells - self._measured), 60)
        return f"{minutes:.0f} min {seconds:02.0f} s left"

    def _facts(self) -> dict[str, str]:
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self._options.command,
            "rounds": f"{self._options.rounds}, {self._options.seconds} s a cell",
            **machine.description(),
            "MongoDB": f"{self._mongodb.version}, replica set of one, w: majority, journal",
        }


def _rotated(up: dict[Peer, Server]) -> dict[Peer, Server]:
    """Return the servers in an order that begins with the next one."""
    first, *others = up
    return {peer: up[peer] for peer in (*others, first)}


def _megabytes(server: Server) -> float:
    return server.memory_bytes() / 1e6
