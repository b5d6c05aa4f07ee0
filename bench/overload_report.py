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


# The best load, then twice and three times the capacity, both of clients without and with patience.
LOADS = ("best", "twice", "twice, patient", "three times", "three times, patient")


@dataclass
class Overload:
    """Steps by workload and server, and by `max_delay_seconds` those at twice the capacity.

    `held` has the calls that waited beside twice the capacity: the answered ones, and all.
    """

    facts: dict[str, str]
    steps: dict[str, dict[str, list[Step]]] = field(default_factory=dict)
    # A step for each of `LOADS`. A single step could fall into better or worse seconds of the host.
    rounds: dict[str, list[tuple[Step, ...]]] = field(default_factory=dict)
    held: dict[str, tuple[int, int]] = field(default_factory=dict)
    delays: dict[str, Step] = field(default_factory=dict)
    refusal_seconds: float = 0.0

    def capacity(self, workload: str) -> float:
        """Return the most requests/s that the server with its limit has answered."""
        return max(step.accepted for step in self.steps[workload][BOUND])

    def at_best(self, workload: str) -> Step:
        return max(self.steps[workload][BOUND], key=lambda step: step.accepted)

    def errors(self) -> int:
        of_steps = [s for by in self.steps.values() for steps in by.values() for s in steps]
        of_rounds = [s for rounds in self.rounds.values() for steps in rounds for s in steps]
        return sum(step.errors for step in [*of_steps, *of_rounds, *self.delays.values()])

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
own; MongoDB and the clients share another. A refused client comes again as if it had been answered;
a patient one waits for `Retry-After` times as long. The time of an answer begins when its request
is due. "Bounded" is the server with its defaults, "unbounded"
with an endless `max_delay_seconds`. The highest throughput of the former is the capacity. Times are
in milliseconds: the median, then the 99th percentile."""


def markdown(results: Overload) -> str:
    return "\n\n".join(_sections(results)) + "\n"


def _sections(results: Overload) -> Iterator[str]:
    yield "# Too much load"
    yield INTRODUCTION
    yield "![throughput by offered load](overload.svg)"
    yield "![latency by offered load](overload-p99.svg)"
    for workload, servers in results.steps.items():
        yield f"## {TITLES[workload].capitalize()}"
        yield _summary(results, workload)
        yield _rounds(results.rounds[workload])
        for name, steps in servers.items():
            yield f"{name.capitalize()}:"
            capacity = results.capacity(workload)
            yield _table("x capacity", [(f"{ratio(s.offered, capacity):.2f}", s) for s in steps])
    if results.delays:
        workload = next(iter(results.steps))
        yield f"## Other delays, {TITLES[workload]} at twice the capacity"
        yield _table("max_delay_seconds", list(results.delays.items()))
    yield "## The run"
    yield f"Errors: {results.errors()}."
    yield table(["run", ""], [list(fact) for fact in results.facts.items()])


def _summary(results: Overload, workload: str) -> str:
    best, refusal = results.at_best(workload), results.refusal_seconds * 1e6
    answered, held = results.held[workload]
    return (
        f"The capacity is {results.capacity(workload):,.0f} requests/s. At best, a request takes "
        f"{ratio(best.server, best.accepted) * 1e6:.0f} us of the processor. A refusal takes "
        f"{refusal:.0f} us, if the server does nothing else. Of {held:,} calls that waited beside "
        f"twice the capacity, {answered:,} were answered. In {len(results.rounds[workload])} "
        "rounds, each with the best load and then with more (medians, and the parts of each round):"
    )


def _rounds(rounds: list[tuple[Step, ...]]) -> str:
    rows = []
    for name, steps in zip(LOADS, zip(*rounds, strict=True), strict=True):
        parts = sorted(
            ratio(step.accepted, one[0].accepted) for step, one in zip(steps, rounds, strict=True)
        )
        rows.append(
            [
                name,
                f"{steps[0].offered:,}",
                f"{median(step.accepted for step in steps):,.0f}",
                f"{median(parts):.0%} ({parts[0]:.0%} to {parts[-1]:.0%})",
                _milliseconds(max(step.accepted_p99 or 0 for step in steps)),
            ]
        )
    return table(["load", "offered/s", "accepted/s", "of the best", "highest p99, ms"], rows)


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


def ratio(part: float, whole: float) -> float:
    """Return the ratio, and 0 for none: a server that is slow enough answers nothing in a step."""
    return part / whole if whole else 0.0


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.3g}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"
