"""`bench growth`: the cost of a request with more documents, and with more processes."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import load, machine
from bench.data import WORKLOADS, Data, Workload
from bench.mongodb import MongoDB, embedded
from bench.servers import OURS, Server, running

DOCUMENTS = (1_000, 100_000, 1_000_000)
FEW_DOCUMENTS = 10_000
PROCESSES = (1, 2)
CONNECTIONS = 32
DATABASE = "bench_growth"
SCRATCH = Path(__file__).parent.parent / ".bench"


@dataclass(frozen=True)
class Run:
    """One run; `cores` are the first server's core, and the core of everything else.

    `errors` counts the errors of all its loads, by their kinds.
    """

    mongodb: MongoDB
    folder: Path
    cores: tuple[int, int]
    seconds: int
    errors: Counter[str] = field(default_factory=Counter)


def main(arguments: list[str]) -> int:
    """Measure, and return 0 if there was no error."""
    parser = argparse.ArgumentParser(prog="python3 run.py bench growth", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="for each line; default: 5")
    options = parser.parse_args(arguments)
    machine.require_wrk()
    cores = machine.two_cores()
    SCRATCH.mkdir(exist_ok=True)
    with (
        machine.pinned(cores[1]),
        tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder,
        embedded(Path(folder)) as mongodb,
    ):
        run = Run(mongodb, Path(folder), cores, options.seconds)
        print("documents processes workload  requests/s       p99  server  MongoDB (us a request)")
        for documents in DOCUMENTS:
            _measure(run, documents, 1)
        for processes in PROCESSES:
            _measure(run, FEW_DOCUMENTS, processes)
    return 1 if run.errors else 0


def _measure(run: Run, documents: int, processes: int) -> None:
    data = Data(documents)
    data.fill(run.mongodb.client, DATABASE)
    data.write_requests(run.folder)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                running(
                    OURS,
                    run.mongodb.uri,
                    DATABASE,
                    run.cores[number % 2],
                    run.folder / f"{number}.log",
                )
            )
            for number in range(processes)
        ]
        for workload in WORKLOADS:
            if workload.name in ("read", "insert"):
                _load(run, servers, workload, 1)
                print(f"{documents:9,} {processes:9} {_load(run, servers, workload, run.seconds)}")
    run.mongodb.client.drop_database(DATABASE)


def _load(run: Run, servers: list[Server], workload: Workload, seconds: int) -> str:
    """Send the load of `CONNECTIONS`, shared among the servers, and return a line of results."""
    before = sum(server.processor_seconds() for server in servers)
    database = run.mongodb.processor_seconds()
    each = CONNECTIONS // len(servers)
    with ThreadPoolExecutor(len(servers)) as pool:
        loads = [
            pool.submit(load.run, server.port, workload, each, seconds, run.folder)
            for server in servers
        ]
    seen = [future.result() for future in loads]
    requests = sum(one.requests for one in seen)
    errors = sum((Counter(one.errors) for one in seen), Counter())
    run.errors.update(errors)
    used = sum(server.processor_seconds() for server in servers) - before
    database = run.mongodb.processor_seconds() - database
    return (
        f"{workload.name:8} {sum(one.requests / one.seconds for one in seen):11,.0f}"
        f" {max(one.p99_milliseconds for one in seen):6.1f} ms"
        f" {used / (requests or 1) * 1e6:7.0f} {database / (requests or 1) * 1e6:8.0f}"
        f"{f'  ERRORS {dict(errors)}' if errors else ''}"
    )
