"""Runs every check, and prints what they find: a line each, with the mend."""

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
    """The exit code: 1 if something must be mended."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {program.package}.doctor",
        usage=f"%(prog)s [--json] [the flags of {program.command}]",
        description="Looks for what would go wrong with a server that is started with these flags,"
        " this environment and this --config; it changes nothing. Exit code 1: something must be"
        " mended.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen, flags = parser.parse_known_args(argv)
    findings = list(_findings(program, flags))
    right = all(finding.state != FAULT for finding in findings)
    if chosen.json:
        checks = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"checks": checks, "ok": right}, indent=2))
    else:
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)
        coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        for finding in findings:
            print(_shown(finding, width, coloured))
    return 0 if right else 1


def _findings(program: Program, flags: Sequence[str]) -> Iterator[Finding]:
    for check in (python, virtual_environment, packages):
        yield from examine(check)
    try:
        from .server import findings
    except Exception as error:
        reason = f"{program.package} can't be imported ({type(error).__name__}: {error})"
        yield dataclasses.replace(fault(f"{reason}: not looked at.", INSTALL), name="the rest")
    else:
        yield from findings(program, flags)


def _shown(finding: Finding, width: int, coloured: bool) -> str:
    text = f"{finding.seen} Mend: {finding.mend}" if finding.mend else finding.seen
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
