"""Checks of the server that these flags, this environment and this settings file would start."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from ..program import Program
from ..settings import ServerSettings, SettingsError, load, unknown_variables
from .finding import CHECK_SECONDS, Finding, examine, fault, ok, warning
from .machine import certificate, disk_space, file_limit, folders, port
from .migrations import migrations
from .mongodb import ON_FACTS, Reached, mongodb
from .trust import proxies, secrets

FIX = "Set it by its flag, in the environment or in the file. The checks that follow are skipped."


def findings(program: Program, flags: Sequence[str]) -> Iterator[Finding]:
    """Run all checks that need the settings.

    A flag that doesn't exist raises `SystemExit` with code 2.
    """
    try:
        kind = program.settings_class()
        settings = load(kind, flags, program=f"python -m {program.package}.doctor")
    except SettingsError as error:
        for line in str(error).splitlines():
            yield _named("settings", fault(f"{line}.", FIX))
        return
    yield _named("settings", ok(f"Settings for {settings.environment}."))
    for problem in unknown_variables(settings):
        yield _named("settings", warning(f"{problem}.", "Correct its name, or unset it."))
    program.app(settings)  # imports every collection, because their indexes are checked
    yield from examine(port, settings, program.server)
    for check in (file_limit, disk_space, folders, certificate, proxies):
        yield from examine(check, settings)
    yield from examine(secrets, settings, flags)
    yield from _on_mongodb(program, settings)


def _on_mongodb(program: Program, settings: ServerSettings) -> Iterator[Finding]:
    reached = Reached()
    # `mongodb` makes at most four operations, one after the other, each with this timeout.
    seconds = 4 * settings.mongodb_timeout_seconds + CHECK_SECONDS
    yield from examine(mongodb, settings, reached, seconds=seconds)
    if reached.facts:
        for check in ON_FACTS:
            for finding in examine(check, settings, reached.facts):
                yield _named(f"mongodb {finding.name}", finding)
        for finding in examine(migrations, program, settings, reached.uri):
            yield _named("mongodb migrations", finding)


def _named(name: str, finding: Finding) -> Finding:
    return dataclasses.replace(finding, name=name)
