"""The results of `bench overload`: every step, and a page with tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.report import TITLES, table

BOUND, NO_BOUND = "bounded", "unbounded"


@dataclass(frozen=True)
class Step:
    """The answers to `offered` requests a second; times are seconds, a processor is 1."""

    offered: int
    accepted: float
    refused: float
    errors: int
    accepted_p50: float | None
    accepted_p99: float | None
    refused_p50: float | None
    refused_p99: float | None
    server: float
    mongodb: float
    load: float
    others: float


@dataclass
class Overload:
    """Steps by workload and server; `bounds` has steps at twice the capacity by `max_in_flight`."""

    facts: dict[str, str]
    steps: dict[str, dict[str, list[Step]]] = field(default_factory=dict)
    # Pairs of the best step and one at twice the capacity. A single step could fall into better or
    # worse seconds of the host.
    rounds: dict[str, list[tuple[Step, Step]]] = field(default_factory=dict)
    bounds: dict[int, Step] = field(default_factory=dict)
    refusal_seconds: float = 0.0

    def capacity(self, workload: str) -> float:
        """Return the most requests/s that the server with its limit has answered."""
        return max(step.accepted for step in self.steps[workload][BOUND])

    def at_best(self, workload: str) -> Step:
        return max(self.steps[workload][BOUND], key=lambda step: step.accepted)

    def errors(self) -> int:
        of_steps = [s for by in self.steps.values() for steps in by.values() for s in steps]
        of_rounds = [s for pairs in self.rounds.values() for pair in pairs for s in pair]
        return sum(step.errors for step in [*of_steps, *of_rounds, *self.bounds.values()])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def line(step: Step) -> str:
    return (
        f"{step.offered:6,} offered {step.accepted:6,.0f} accepted {step.refused:6,.0f} refused"
        f"  accepted {_milliseconds(step.accepted_p50)}, {_milliseconds(step.accepted_p99)}"
        f"  refused {_milliseconds(step.refused_p50)}, {_milliseconds(step.refused_p99)} ms"
        f"  processor {step.server:.2f} MongoDB {step.mongodb:.2f} load {step.load:.2f}"
    )


INTRODUCTION = """\
Each client sends about one request a second, as long as an answer takes less than that. So the
number of clients is the number of requests that are offered a second. The server has a core of its
own; MongoDB and the clients share another. "Bounded" is the server with its limit, `max_in_flight`.
Its highest throughput is the capacity. Times are in milliseconds: the median, then the 99th
percentile."""


def markdown(results: Overload) -> str:
    return "\n\n".join(_sections(results)) + "\n"


def _sections(results: Overload) -> Iterator[str]:
    yield "# Too much load"
    yield INTRODUCTION
    yield "![throughput by offered load](overload.svg)"
    yield "![latency by offered load](overload-p99.svg)"
    for workload, servers in results.steps.items():
        yield f"## {TITLES[workload].capitalize()}"
        yield _at_twice(results, workload)
        for name, steps in servers.items():
            yield f"{name.capitalize()}:"
            capacity = results.capacity(workload)
            yield _table("x capacity", [(f"{s.offered / capacity:.2f}", s) for s in steps])
    if results.bounds:
        workload = next(iter(results.steps))
        yield f"## Other limits, {TITLES[workload]} at twice the capacity"
        yield _table("max_in_flight", [(str(bound), s) for bound, s in results.bounds.items()])
    yield "## The run"
    yield f"Errors: {results.errors()}."
    yield table(["run", ""], [list(fact) for fact in results.facts.items()])


def _at_twice(results: Overload, workload: str) -> str:
    best, pairs = results.at_best(workload), results.rounds[workload]
    at_best = median(one.accepted for one, _ in pairs)
    at_twice = median(two.accepted for _, two in pairs)
    late = max(two.accepted_p99 or 0 for _, two in pairs)
    parts = sorted(two.accepted / one.accepted for one, two in pairs)
    cost, refusal = best.server / best.accepted * 1e6, results.refusal_seconds * 1e6
    return (
        f"The capacity is {results.capacity(workload):,.0f} requests/s. In {len(pairs)} rounds "
        f"with {best.offered:,} a second offered and then {pairs[0][1].offered:,}, the server "
        f"answered {at_best:,.0f} and {at_twice:,.0f}: {at_twice / at_best:.0%} (medians; each "
        f"round {parts[0]:.0%} to {parts[-1]:.0%}). Of the latter, the accepted requests had a "
        f"99th percentile of at most {_milliseconds(late)} ms. At best, a request takes "
        f"{cost:.0f} us of the processor. A refusal takes {refusal:.0f} us, if the server does "
        "nothing else."
    )


def _table(first: str, rows: list[tuple[str, Step]]) -> str:
    header = [first, "offered/s", "accepted/s", "refused/s", "accepted ms", "refused ms"]
    header += ["server", "MongoDB", "clients", "others on its core"]
    return table(header, [[name, *_cells(step)] for name, step in rows])


def _cells(step: Step) -> list[str]:
    pair = "{}, {}".format
    return [
        *(f"{count:,.0f}" for count in (step.offered, step.accepted, step.refused)),
        pair(_milliseconds(step.accepted_p50), _milliseconds(step.accepted_p99)),
        pair(_milliseconds(step.refused_p50), _milliseconds(step.refused_p99)),
        *(f"{part:.0%}" for part in (step.server, step.mongodb, step.load, step.others)),
    ]


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.3g}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"
