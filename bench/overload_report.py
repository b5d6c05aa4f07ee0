"""What `bench overload` has measured: figures, a page, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from math import log10
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from bench.chart import STYLE, text
from bench.report import TITLES, table

BOUND, NO_BOUND = "bounded", "unbounded"


@dataclass(frozen=True)
class Step:
    """What became of `offered` requests a second; times and parts of a processor are seconds."""

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
    """By workload and server; `bounds` by `max_in_flight`, at twice the load of the first one."""

    facts: dict[str, str]
    steps: dict[str, dict[str, list[Step]]] = field(default_factory=dict)
    # At its best and then at twice the capacity, so many times: one step alone may have had the
    # host's better or worse seconds.
    rounds: dict[str, list[tuple[Step, Step]]] = field(default_factory=dict)
    bounds: dict[int, Step] = field(default_factory=dict)
    refusal_seconds: float = 0.0

    def capacity(self, workload: str) -> float:
        """The most that the server with its bound has answered."""
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
Each client asks about once a second, and no less often while answers take less than that: so many
clients, so many requests offered a second. The server has a core of its own, MongoDB and the
clients share another. Capacity is the most that the server with its bound, `max_in_flight`, has
answered a second. Times are in milliseconds: the median, then the 99th percentile."""


def markdown(results: Overload) -> str:
    return "\n\n".join(_sections(results)) + "\n"


def _sections(results: Overload) -> Iterator[str]:
    yield "# Too much work"
    yield INTRODUCTION
    yield "![throughput and latency by offered load](overload.svg)"
    for workload, servers in results.steps.items():
        yield f"## {TITLES[workload].capitalize()}"
        yield _at_twice(results, workload)
        for name, steps in servers.items():
            yield f"{name.capitalize()}:"
            capacity = results.capacity(workload)
            yield _table("x capacity", [(f"{s.offered / capacity:.2f}", s) for s in steps])
    if results.bounds:
        workload = next(iter(results.steps))
        yield f"## Other bounds, {TITLES[workload]} at twice the load"
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
        f"Capacity {results.capacity(workload):,.0f} a second. In {len(pairs)} rounds with "
        f"{best.offered:,} a second offered and then {pairs[0][1].offered:,}, it answered "
        f"{at_best:,.0f} and {at_twice:,.0f}: {at_twice / at_best:.0%} (medians; each round "
        f"{parts[0]:.0%} to {parts[-1]:.0%}), with a 99th percentile of at most "
        f"{_milliseconds(late)} ms for what it accepted of the latter. At its best a request "
        f"takes {cost:.0f} us of the processor; a refusal, where nothing else is done, "
        f"{refusal:.0f} us."
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


# The picture.

LINES = """
.line { fill: none; stroke-width: 2; }
.accepted { stroke: #0969da; }
.refused { stroke: #bc4c00; }
.without { stroke: #8c959f; }
.second { stroke-dasharray: 5 4; }
.grid { stroke: #d1d9e0; }
@media (prefers-color-scheme: dark) {
  .accepted { stroke: #4493f8; }
  .refused { stroke: #f0883e; }
  .without { stroke: #9198a1; }
  .grid { stroke: #2f353d; }
}
"""
WIDTH, HEIGHT, LEFT, GAP, TOP, PANEL_GAP = 380, 220, 64, 72, 134, 76
MOST_TIMES = 3.2

Curve = tuple[str, list[tuple[float, float]]]  # its classes, and its points


def picture(results: Overload) -> str:
    """A row for each workload: throughput to the left, latency to the right."""
    width = LEFT + 2 * WIDTH + GAP + 24
    height = TOP + len(results.steps) * (HEIGHT + PANEL_GAP)
    title = "Too much work: what is offered, what is answered"
    facts = "; ".join(f"{name} {results.facts.get(name, '')}" for name in ("processor", "date"))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}{LINES}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        text(24, 34, title, "title"),
        text(24, 56, facts, "muted"),
        *_legend(),
    ]
    for number, workload in enumerate(results.steps):
        parts += _panels(results, workload, TOP + number * (HEIGHT + PANEL_GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    shown = (
        ("accepted", "accepted"),
        ("refused", "refused"),
        ("without", "accepted, without the bound"),
        ("accepted second", "99th percentile (the other line: median)"),
    )
    left = 24
    for kind, name in shown:
        yield f'<line class="line {kind}" x1="{left}" y1="78" x2="{left + 24}" y2="78"/>'
        yield text(left + 32, 82, name, "muted")
        left += 60 + 7 * len(name)


def _panels(results: Overload, workload: str, top: int) -> Iterator[str]:
    servers, capacity = results.steps[workload], results.capacity(workload)

    def curve(kind: str, server: str, value: Callable[[Step], float | None]) -> Curve:
        points = [(s.offered / capacity, value(s)) for s in servers[server]]
        return kind, [(x, y) for x, y in points if y is not None]

    yield text(24, top - 22, TITLES[workload].capitalize(), "row")
    throughput = [
        curve("without", NO_BOUND, lambda step: step.accepted / capacity),
        curve("refused", BOUND, lambda step: step.refused / capacity),
        curve("accepted", BOUND, lambda step: step.accepted / capacity),
    ]
    marks = [(float(n), f"{n:g}") for n in (0, 0.5, 1, 1.5, 2, 2.5)]
    yield from _panel(LEFT, top, "answers, times capacity", throughput, marks, lambda y: y / 2.5)
    latency = [
        curve("without", NO_BOUND, lambda step: step.accepted_p50),
        curve("without second", NO_BOUND, lambda step: step.accepted_p99),
        curve("accepted", BOUND, lambda step: step.accepted_p50),
        curve("accepted second", BOUND, lambda step: step.accepted_p99),
    ]
    marks = [(0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s")]
    left = LEFT + WIDTH + GAP
    yield from _panel(
        left, top, "until the answer", latency, marks, lambda y: (log10(max(y, 0.001)) + 3) / 4
    )


def _panel(
    left: int,
    top: int,
    heading: str,
    curves: list[Curve],
    marks: list[tuple[float, str]],
    scale: Callable[[float], float],
) -> Iterator[str]:
    """`scale` says how high up a value is, from 0 to 1."""

    def across(times: float) -> float:
        return left + WIDTH * min(times / MOST_TIMES, 1)

    def up(value: float) -> float:
        return top + HEIGHT * (1 - min(scale(value), 1))

    bottom = top + HEIGHT
    yield text(left, top - 4, heading, "muted")
    for value, name in marks:
        y = up(value)
        yield f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + WIDTH}" y2="{y:.1f}"/>'
        yield text(left - 6, y + 4, name, "muted name")
    for times in (1, 2, 3):
        x = across(times)
        yield f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
        yield text(x - 4, bottom + 16, str(times), "muted")
    yield text(left + WIDTH / 2 - 70, bottom + 34, "offered load, times capacity", "muted")
    yield f'<line class="axis" x1="{left}" y1="{bottom}" x2="{left + WIDTH}" y2="{bottom}"/>'
    for kind, points in curves:
        drawn = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        yield f'<polyline class="line {kind}" points="{drawn}"/>'
