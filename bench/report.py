"""The results as tables in Markdown, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench.data import WORKLOADS
from bench.goals import Goal, goals, tails
from bench.results import (
    FULL_PERCENT,
    MEMORY,
    METRICS,
    REQUESTS,
    Cell,
    Measurement,
    Metric,
    Results,
    ratio,
)

TITLES = {workload.name: workload.title for workload in WORKLOADS}
INTRODUCTION = """\
The values are medians over the rounds. In brackets: how many times better indico is; below 1, the
other server is better. Peers run without an access log, as their documentation advises for
production. indico runs with its defaults, which log a line for each request."""
GOALS_INTRODUCTION = f"""\
Our requests/s, divided by those of the peer: for an echo the named peer, otherwise the peer with
the most requests/s in that cell. "Processor" is the peer's processor time of a request, divided by
ours. "Other core" is the part of their core that wrk and MongoDB used, with indico and with the
peer. From {FULL_PERCENT:.0f}% on this core is full: wrk or MongoDB is the bottleneck there, and the
ratio of processor times decides."""


def markdown(results: Results) -> str:
    return "\n\n".join(_sections(results)) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; columns of numbers are aligned to the right."""
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
    yield table(["server", "packages"], [list(pair) for pair in results.versions.items()])
    yield table(["run", ""], [list(fact) for fact in results.facts.items()])
    yield disturbed(results)
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


def _of_cell(measured: dict[str, Measurement], cell: Cell) -> list[list[str]]:
    """Return the rows of a cell, the fastest server first."""
    fastest = sorted(measured, key=lambda name: -measured[name][REQUESTS.name])
    return [
        [str(cell[1]), name, *(_with_ratio(metric, measured, name) for metric in METRICS)]
        for name in fastest
    ]


def _memory(results: Results) -> str:
    memory = results.in_memory()
    rows = [[name, *(_with_ratio(metric, memory, name) for metric in MEMORY)] for name in memory]
    return table(["server", *(metric.title for metric in MEMORY)], rows)


def _goals(results: Results) -> Iterator[str]:
    yield "## Goals"
    yield GOALS_INTRODUCTION
    header = ["workload", "connections", "peer", "goal", "requests/s", "processor", "other core"]
    yield table([*header, "reached"], [_goal(goal) for goal in goals(results)])
    yield "p99 in milliseconds; the goal is the p99 of the peer with the most requests/s"
    yield table(
        ["workload", "connections", "ours", "best peer's", "reached", "lowest of all peers"],
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


def _goal(goal: Goal) -> list[str]:
    ours, peers = goal.other_core
    return [
        TITLES[goal.workload],
        str(goal.connections),
        goal.peer,
        f"{goal.goal:.2f}",
        f"{goal.reached:.2f}",
        f"{goal.processor:.2f}",
        f"{ours:.0f}%, {peers:.0f}%{' (full)' if goal.full else ''}",
        f"{_yes(goal.met)}{', by processor time' if goal.full else ''}",
    ]


def disturbed(results: Results) -> str:
    """Return a sentence on how much other processes disturbed the servers."""
    percent = results.disturbed()
    return (
        f"Other processes used {median(percent):.0f}% of the server's core (median over the cells; "
        f"at most {max(percent):.0f}%)."
        if percent
        else "Nothing was measured."
    )


def _with_ratio(metric: Metric, measured: dict[str, Measurement], name: str) -> str:
    times = ratio(metric, measured, name)
    return number(measured[name][metric.name]) + (f" ({times:.2f})" if times else "")


def number(value: float) -> str:
    """Format a number with three significant digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _yes(met: bool) -> str:
    return "yes" if met else "no"
