"""The results as tables, for a terminal and for a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench.data import WORKLOADS
from bench.goals import COMPARED_TO, goals, tails
from bench.results import MEMORY, METRICS, REQUESTS, Cell, Figures, Metric, Results, ratio

TITLES = {workload.name: workload.title for workload in WORKLOADS}
INTRODUCTION = """\
Medians over the rounds. In brackets: how many times better indico is in that figure; below 1, the
other is. Peers run without an access log, as their documentation advises for production; indico as
it comes, with a line for each request."""


def markdown(results: Results) -> str:
    return "\n\n".join(_sections(results)) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Of Markdown, with columns as wide as they have to be; those with figures to the right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(rows) and all(cell[:1].isdigit() for cell in column[1:]) for column in columns]
    rule = ["-" * (width + 1) + (":" if r else "-") for width, r in zip(widths, right, strict=True)]
    lines = [
        " | ".join(
            cell.rjust(width) if r else cell.ljust(width)
            for cell, width, r in zip(line, widths, right, strict=True)
        )
        for line in (header, *rows)
    ]
    return "\n".join([f"| {lines[0]} |", f"|{'|'.join(rule)}|", *(f"| {e} |" for e in lines[1:])])


def _sections(results: Results) -> Iterator[str]:
    yield "# How fast indico is"
    yield INTRODUCTION
    workloads = dict.fromkeys(workload for workload, _ in results.all_cells())
    for workload in workloads:
        yield f"## {TITLES[workload].capitalize()}"
        yield _of_workload(results, workload)
    yield "## Memory"
    yield _memory(results)
    yield from _goals(results)
    yield "## Versions"
    yield table(["server", "made of"], [list(pair) for pair in results.versions.items()])
    yield table(["run", ""], [list(fact) for fact in results.facts.items()])
    yield _disturbed(results.disturbed())
    for name, why in results.left_out.items():
        yield f"Left out: {name}. {why}"
    for what in results.invalid:
        yield f"Not counted, for its errors: {what}"


def _of_workload(results: Results, workload: str) -> str:
    rows = []
    for cell in results.all_cells():
        if cell[0] == workload:
            rows += _of_cell(results.in_cell(cell), cell)
    return table(["connections", "server", *(metric.title for metric in METRICS)], rows)


def _of_cell(figures: dict[str, Figures], cell: Cell) -> list[list[str]]:
    """The fastest first."""
    fastest = sorted(figures, key=lambda name: -figures[name][REQUESTS.name])
    return [
        [str(cell[1]), name, *(_with_ratio(metric, figures, name) for metric in METRICS)]
        for name in fastest
    ]


def _memory(results: Results) -> str:
    figures = results.in_memory()
    rows = [[name, *(_with_ratio(metric, figures, name) for metric in MEMORY)] for name in figures]
    return table(["server", *(metric.title for metric in MEMORY)], rows)


def _goals(results: Results) -> Iterator[str]:
    yield "## Goals"
    yield "Requests/s, ours to the best peer's" + "".join(
        f"; {workload} to {peer}'s" for workload, peer in COMPARED_TO.items()
    )
    yield table(
        ["workload", "connections", "goal", "reached", "met", "peer"],
        [
            [
                TITLES[goal.workload],
                str(goal.connections),
                f"{goal.goal:.1f}",
                f"{goal.reached:.2f}",
                _yes(goal.met),
                goal.peer,
            ]
            for goal in goals(results)
        ],
    )
    yield "p99 in milliseconds, to be no worse than that of the peer with the most requests/s"
    yield table(
        ["workload", "connections", "ours", "best peer's", "met", "lowest of all peers"],
        [
            [
                TITLES[tail.workload],
                str(tail.connections),
                f"{tail.ours:.1f}",
                f"{tail.best:.1f} {tail.best_peer}",
                _yes(tail.met),
                f"{tail.lowest:.1f} {tail.lowest_peer}",
            ]
            for tail in tails(results)
        ],
    )


def _disturbed(percent: list[float]) -> str:
    return (
        f"Other processes used {median(percent):.0f}% of the server's core (median over the cells; "
        f"at most {max(percent):.0f}%)."
        if percent
        else "Nothing was measured."
    )


def _with_ratio(metric: Metric, figures: dict[str, Figures], name: str) -> str:
    times = ratio(metric, figures, name)
    return number(figures[name][metric.name]) + (f" ({times:.2f})" if times else "")


def number(value: float) -> str:
    """With as many digits as say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _yes(met: bool) -> str:
    return "yes" if met else "no"
