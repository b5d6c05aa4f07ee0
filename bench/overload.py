"""`bench overload`: a server under more load than its capacity, with and without its limit."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import chart, load, machine, overload_report
from bench.clients import Clients, requests
from bench.data import WORKLOADS, Data, Workload
from bench.load import Used
from bench.mongodb import MongoDB, embedded
from bench.overload_report import BOUND, NO_BOUND, Overload, Step
from bench.servers import OURS, Server, running

HERE = Path(__file__).parent
SCRATCH = HERE.parent / ".bench"
DATABASE = "bench_overload"
STEPS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 3.0)  # later also twice the measured capacity
BOUNDS = (50, 100, 200, 500, 1000, 2000)
ROUNDS = 5
CAPACITY_CONNECTIONS = 256
SETTLE_SECONDS = 2.0
REFUSALS_PER_SECOND = 3000
# Open files that a server and its database need beside its clients.
SPARE_FILES = 500


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

    def step(self, count: int) -> Step:
        """Measure `count` clients, which start some time before the measurement."""
        count = min(count, self._run.most_clients)
        with closing(Clients(self.server.port, self._requests)) as clients:
            clients.open(count)
            self.server.wait_until_idle()
            clients.ask(count, SETTLE_SECONDS)
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

    def _used(self) -> Used:
        return Used(
            self.server.processor_seconds(),
            self._run.mongodb.processor_seconds(),
            machine.busy_seconds(self._run.core),
        )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench overload", description=__doc__)
    parser.add_argument("--workloads", default="read,update", help="default: read,update")
    parser.add_argument("--seconds", type=float, default=3, help="for each measurement; default: 3")
    options = parser.parse_args(arguments)
    core, other_core = machine.require()
    most_clients = _raise_file_limit() - SPARE_FILES
    SCRATCH.mkdir(exist_ok=True)
    gc.disable()  # a collection would delay thousands of clients
    with (
        machine.pinned(other_core),
        tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder,
        embedded(Path(folder)) as mongodb,
    ):
        run = Run(mongodb, Path(folder), core, options.seconds, most_clients)
        data = Data()
        data.fill(mongodb.client, DATABASE)
        data.write_requests(run.folder)
        results = Overload(
            {
                **machine.description(),
                "MongoDB": mongodb.version,
                "date": datetime.now(UTC).isoformat(timespec="minutes"),
                "seconds a measurement": f"{options.seconds:g}",
            }
        )
        for workload in [w for w in WORKLOADS if w.name in options.workloads.split(",")]:
            _measure_steps(run, workload, results)
        _measure_bounds(run, results)
        _measure_refusals(run, results)
    whole = options.workloads == parser.get_default("workloads")
    _write(results, HERE if whole else SCRATCH)
    return 1 if results.errors() else 0


def _write(results: Overload, folder: Path) -> None:
    page = overload_report.markdown(results)
    (folder / "overload.md").write_text(page)
    (folder / "overload.json").write_text(json.dumps(results.as_json(), indent=1) + "\n")
    drawn = chart.draw(folder)
    print(f"\n{page}\nKept in {folder}: overload.md, overload.json; pictures: {drawn}")


def _measure_steps(run: Run, workload: Workload, results: Overload) -> None:
    """Measure both servers at each step, in turns."""
    with ExitStack() as stack:
        up = {
            name: stack.enter_context(_measured(run, workload, flags))
            for name, flags in ((BOUND, ()), (NO_BOUND, ("--max-in-flight", "1000000")))
        }
        best = max(_capacity(run, measured.server, workload) for measured in up.values())
        print(f"{workload.title}: {best:,.0f}/s with {CAPACITY_CONNECTIONS} connections")
        for times in STEPS:
            _measure_step(up, workload, int(best * times), results)
            up = dict(reversed(up.items()))
        twice = int(results.capacity(workload.name) * 2)
        _measure_step(up, workload, twice, results)
        at_best = results.at_best(workload.name).offered
        for _ in range(ROUNDS):
            pair = up[BOUND].step(at_best), up[BOUND].step(twice)
            results.rounds.setdefault(workload.name, []).append(pair)
            for step in pair:
                print(f"  {'again':9} {overload_report.line(step)}", flush=True)
    for steps in results.steps[workload.name].values():
        steps.sort(key=lambda step: step.offered)


def _measure_step(
    up: dict[str, Measured], workload: Workload, count: int, results: Overload
) -> None:
    for name, measured in up.items():
        step = measured.step(count)
        results.steps.setdefault(workload.name, {}).setdefault(name, []).append(step)
        print(f"  {name:9} {overload_report.line(step)}", flush=True)


def _measure_bounds(run: Run, results: Overload) -> None:
    """Measure other values of `max_in_flight` at twice the capacity."""
    workload = next(w for w in WORKLOADS if w.name in results.steps)
    count = int(results.capacity(workload.name) * 2)
    print(f"{workload.title}, {count} clients, by max_in_flight")
    for bound in BOUNDS:
        with _measured(run, workload, ("--max-in-flight", str(bound))) as measured:
            load.run(measured.server.port, workload, 32, 1, run.folder)
            step = measured.step(count)
        results.bounds[bound] = step
        print(f"  {bound:9} {overload_report.line(step)}", flush=True)


def _measure_refusals(run: Run, results: Overload) -> None:
    """Measure the cost of a refusal: one held call fills the limit, so all others are refused."""
    with _measured(run, WORKLOADS[1], ("--max-in-flight", "1")) as measured:
        body = b'{"seconds":600}'
        head = b"POST /wait/hold HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body)
        with socket.create_connection(("127.0.0.1", measured.server.port)) as held:
            held.sendall(head + body)
            time.sleep(0.5)
            step = measured.step(REFUSALS_PER_SECOND)
    results.refusal_seconds = step.server / step.refused
    print(f"a refusal takes {results.refusal_seconds * 1e6:.0f} us of the server's processor")


def _capacity(run: Run, server: Server, workload: Workload) -> float:
    """Estimate the capacity, for the size of the steps."""
    load.run(server.port, workload, CAPACITY_CONNECTIONS, 1, run.folder)
    seen = load.run(server.port, workload, CAPACITY_CONNECTIONS, 2, run.folder)
    return seen.requests / seen.seconds


@contextmanager
def _measured(run: Run, workload: Workload, flags: tuple[str, ...]) -> Iterator[Measured]:
    log = run.folder / "server.log"
    peer = replace(OURS, flags=flags)
    with running(peer, run.mongodb.uri, DATABASE, run.core, log) as server:
        yield Measured(run, server, workload)


def _part(values: list[float], part: float) -> float | None:
    return sorted(values)[int(len(values) * part)] if values else None


def _raise_file_limit() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
