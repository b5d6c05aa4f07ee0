"""`bench overload`: a server under more load than its capacity, with and without its limit."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import socket
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from bench import chart, machine, overload_report
from bench.data import WORKLOADS, Data, Workload
from bench.measured import CAPACITY_CONNECTIONS, DATABASE, Measured, Run, hold, measured
from bench.mongodb import embedded
from bench.overload_report import BOUND, NO_BOUND, Overload

HERE = Path(__file__).parent
SCRATCH = HERE.parent / ".bench"
STEPS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 3.0)  # later also twice the measured capacity
DELAYS = ("0.01", "0.02", "0.05", "0.1", "0.2")  # values of `max_delay_seconds`
ROUNDS = 5
HELD_CALLS = 1000
HELD_SECONDS = 25
REFUSALS_PER_SECOND = 3000
# Open files that a server and its database need beside its clients.
SPARE_FILES = 500


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench overload", description=__doc__)
    parser.add_argument("--workloads", default="read,update", help="default: read,update")
    parser.add_argument("--seconds", type=float, default=3, help="for each measurement; default: 3")
    options = parser.parse_args(arguments)
    core, other_core = machine.two_cores()
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
        _measure_delays(run, results)
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
            name: stack.enter_context(measured(run, workload, flags))
            for name, flags in ((BOUND, ()), (NO_BOUND, ("--max-delay-seconds", "3600")))
        }
        best = max(one.capacity() for one in up.values())
        print(f"{workload.title}: {best:,.0f}/s with {CAPACITY_CONNECTIONS} connections")
        for times in STEPS:
            _measure_step(up, workload, int(best * times), results)
            up = dict(reversed(up.items()))
        twice = int(results.capacity(workload.name) * 2)
        _measure_step(up, workload, twice, results)
        at_best = results.at_best(workload.name).offered
        for _ in range(ROUNDS):
            loads = (at_best, False), *product((twice, twice * 3 // 2), (False, True))
            again = tuple(up[BOUND].step(count, patient) for count, patient in loads)
            results.rounds.setdefault(workload.name, []).append(again)
            for step in again:
                print(f"  {'again':9} {overload_report.line(step)}", flush=True)
        results.held[workload.name] = _measure_held(up[BOUND], twice), HELD_CALLS
    for steps in results.steps[workload.name].values():
        steps.sort(key=lambda step: step.offered)


def _measure_step(
    up: dict[str, Measured], workload: Workload, count: int, results: Overload
) -> None:
    for name, one in up.items():
        step = one.step(count)
        results.steps.setdefault(workload.name, {}).setdefault(name, []).append(step)
        print(f"  {name:9} {overload_report.line(step)}", flush=True)


def _measure_held(up: Measured, count: int) -> int:
    """Return how many of `HELD_CALLS` are answered which wait during a step of `count` clients."""
    with ExitStack() as stack:
        port = up.server.port
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(HELD_CALLS)
        ]
        for call in held:
            call.sendall(hold(HELD_SECONDS))
        print(f"  {'beside':9} {overload_report.line(up.step(count))}", flush=True)
        return sum(call.recv(1 << 16).startswith(b"HTTP/1.1 200 ") for call in held)


def _measure_delays(run: Run, results: Overload) -> None:
    """Measure other values of `max_delay_seconds` at twice the capacity."""
    workload = next(w for w in WORKLOADS if w.name in results.steps)
    count = int(results.capacity(workload.name) * 2)
    print(f"{workload.title}, {count} clients, by max_delay_seconds")
    for delay in DELAYS:
        with measured(run, workload, ("--max-delay-seconds", delay)) as one:
            step = one.step(count)
        results.delays[delay] = step
        print(f"  {delay:9} {overload_report.line(step)}", flush=True)


def _measure_refusals(run: Run, results: Overload) -> None:
    """Measure the cost of a refusal: one held call fills the limit, so all others are refused."""
    with (
        measured(run, WORKLOADS[1], ("--max-in-flight", "1")) as one,
        socket.create_connection(("127.0.0.1", one.server.port)) as held,
    ):
        held.sendall(hold(HELD_SECONDS))
        time.sleep(0.5)
        step = one.step(REFUSALS_PER_SECOND)
    results.refusal_seconds = overload_report.ratio(step.server, step.refused)
    print(f"a refusal takes {results.refusal_seconds * 1e6:.0f} us of the server's processor")


def _raise_file_limit() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
