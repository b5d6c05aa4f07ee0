"""The doctor's command line: run every check, print each finding with its fix."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from ..program import Program
from .finding import FAULT, OK, WARNING, Finding, examine, fault
from .python import INSTALL, packages, python, virtual_environment

_COLOURS = {OK: 32, WARNING: 33, FAULT: 31}


def main(program: Program, argv: Sequence[str]) -> int:
    """Print the findings and return the exit code: 1 if there is a fault, else 0."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {program.package}.doctor",
        usage=f"%(prog)s [--json] [the flags of {program.command}]",
        description="Looks for what would go wrong with a server that is started with these flags,"
        " this environment and this --config. The doctor changes nothing. Exit code 1: there is a"
        " fault to fix.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen, flags = parser.parse_known_args(argv)
    findings = list(_findings(program, flags))
    healthy = all(finding.state != FAULT for finding in findings)
    if chosen.json:
        checks = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"checks": checks, "ok": healthy}, indent=2))
    else:
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)
        coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        for finding in findings:
            print(_render(finding, width, coloured))
    return 0 if healthy else 1


def _findings(program: Program, flags: Sequence[str]) -> Iterator[Finding]:
    for check in (python, virtual_environment, packages):
        yield from examine(check)
    try:
        from .server import findings
    except Exception as error:
        reason = f"{program.package} can't be imported ({type(error).__name__}: {error})"
        skipped = fault(f"{reason}: the other checks are skipped.", INSTALL)
        yield dataclasses.replace(skipped, name="the rest")
    else:
        yield from findings(program, flags)


def _render(finding: Finding, width: int, coloured: bool) -> str:
    text = f"{finding.seen} Fix: {finding.fix}" if finding.fix else finding.seen
    start = f"{finding.state:9}{finding.name:21} "
    wrapped = textwrap.fill(
        text,
        width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if not coloured:
        return wrapped
    return f"\x1b[{_COLOURS[finding.state]}m{finding.state}\x1b[0m{wrapped[len(finding.state) :]}"
