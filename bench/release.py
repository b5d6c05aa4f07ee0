"""`bench release`: all measurements whose figures the documentation has, one after the other."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bench import cited, machine, report
from bench.measurements import MEASUREMENTS

# `overload` is the last, because it turns the garbage collection of this process off.
COMMANDS = {
    "peers": ("peers",),
    "tls": ("peers", "--tls"),
    "members": ("peers", "--members", "3"),
    "held": ("held",),
    "growth": ("growth",),
    "batches": ("batches",),
    "limit": ("limit",),
    "offload": ("offload",),
    "jobs": ("jobs",),
    "overload": ("overload",),
}
WITH_PAGES = ("peers", "overload")  # they write their results themselves
PAGES = Path(__file__).parent / "printed"
WHERE = """\
The results are in bench/results*.md, bench/overload.md and bench/printed/. These are the measured
figures in the documentation, with the commit that each was measured on:"""


class Copy(io.StringIO):
    """The text that was printed, which `terminal` gets too."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._terminal.write(text)
        self._terminal.flush()
        return super().write(text)


def main(arguments: list[str]) -> int:
    """Measure, write a page for each measurement, and say which figures each one belongs to."""
    parser = argparse.ArgumentParser(
        prog="python3 run.py bench release",
        description="Run all measurements whose figures the documentation has, in 90 minutes.",
    )
    names = ",".join(COMMANDS)
    parser.add_argument("--only", default=names, help=f"some of {names}")
    chosen = parser.parse_args(arguments).only.split(",")
    if unknown := [name for name in chosen if name not in COMMANDS]:
        parser.error(f"there is no {', '.join(unknown)}; known are {names}")
    commit = machine.commit()  # before the results change files
    wrong = [problem for name in chosen if (problem := _run(COMMANDS[name]))]
    print(f"\nMeasured on commit {commit}. {WHERE}\n")
    print(cited.markdown())
    print(*(f"\n{problem}" for problem in wrong))
    return 1 if wrong else 0


def _run(command: tuple[str, ...]) -> str:
    """Run one measurement; return what is wrong with it, or an empty text."""
    name, *options = command
    line = f"python3 run.py bench {' '.join(command)}"
    print(f"\n{line}\n", flush=True)
    copy = Copy(sys.stdout)
    try:
        with contextlib.redirect_stdout(copy):
            code = MEASUREMENTS[name](options)
    except Exception as error:  # after which the others still run
        traceback.print_exc()
        return f"{line} failed: {error}"
    if name not in WITH_PAGES:
        PAGES.mkdir(exist_ok=True)
        (PAGES / f"{name}.md").write_text(_page(line, copy.getvalue()))
    return f"{line} ended with code {code}: its output says why." if code else ""


def _page(line: str, printed: str) -> str:
    facts = {**machine.description(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    run = report.table(["run", ""], [list(fact) for fact in facts.items()])
    return f"# `{line}`\n\n```text\n{printed.strip()}\n```\n\n{run}\n"
