"""`bench cost COMMIT`: the processor time of a request, beside another commit, in turns."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import options, report, servers, turns
from bench.machine import UnfitError
from bench.results import OURS, PROCESSOR, REQUESTS, Cell, Results

DESCRIPTION = """\
Measure the processor time of a request of the working tree and of COMMIT, cell by cell, in turns.
Both servers use the packages of this environment. Ratios below 1: the working tree needs less."""


def main(arguments: list[str]) -> int:
    """Measure, and return 0 if no cell is missing."""
    parser = options.parser("cost", DESCRIPTION, rounds=5)
    parser.add_argument("commit", metavar="COMMIT", help="or a branch, or a tag")
    given = parser.parse_args(arguments)
    with checkout(given.commit) as folder:
        other = replace(servers.OURS, name=f"{OURS} at {given.commit}", folder=folder)
        chosen = options.options(given, (servers.OURS, other), ("cost", *arguments))
        with turns.prepared(chosen) as run:
            results = run.results(list(chosen.servers))
    print(f"\n{markdown(results, other.name)}")
    return 1 if results.invalid else 0


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check `commit` out in a temporary folder, and yield the folder. Raise `UnfitError`."""
    turns.SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="commit-", dir=turns.SCRATCH) as folder:
        _git("worktree", "add", "--detach", folder, commit)
        try:
            yield Path(folder)
        finally:
            _git("worktree", "remove", "--force", folder)


def markdown(results: Results, other: str) -> str:
    """Return a table of all cells, and what went wrong."""
    header = ["workload", "connections", f"{OURS}, µs (lowest)", f"{other}, µs (lowest)"]
    header += ["ratio of medians", "of lowest", "requests/s"]
    rows = [_row(results, cell, other) for cell in results.all_cells()]
    parts = [report.table(header, rows), report.disturbed(results), *results.invalid]
    facts = [": ".join(fact) for fact in results.facts.items()]
    return "\n\n".join([*parts, "; ".join(facts)])


def _row(results: Results, cell: Cell, other: str) -> list[str]:
    measured = results.in_cell(cell)
    if not {OURS, other} <= measured.keys():
        return [cell[0], str(cell[1]), *"-" * 5]
    medians = [measured[name][PROCESSOR.name] for name in (OURS, other)]
    lowest = [
        min(values[PROCESSOR.name] for values in results.cells[name][cell])
        for name in (OURS, other)
    ]
    rates = [measured[name][REQUESTS.name] for name in (OURS, other)]
    return [
        cell[0],
        str(cell[1]),
        *(f"{median:.1f} ({low:.1f})" for median, low in zip(medians, lowest, strict=True)),
        *(_ratio(*values) for values in (medians, lowest, rates)),
    ]


def _ratio(ours: float, theirs: float) -> str:
    """Return the ratio; without one if a cell was too short for the clock of processor time."""
    return f"{ours / theirs:.3f}" if theirs else "-"


def _git(*command: str) -> None:
    """Run git on this repository. Raise `UnfitError` with its message."""
    git = ["git", *command]
    done = subprocess.run(git, cwd=servers.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnfitError(f"bench: git {command[0]}: {done.stderr.strip()}")
