"""Whether a server with these flags, this environment and this file would run well."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from .. import settings as config
from ..program import Program
from ..settings import ServerSettings, SettingsError
from .finding import CHECK_SECONDS, Finding, examine, fault, ok
from .machine import certificate, disk_space, file_limit, folders, port
from .mongodb import ON_FACTS, Reached, mongodb
from .trust import proxies, secrets

MEND = "Set it by its flag, in the environment or in the file. Then see the rest, skipped now."


def findings(program: Program, flags: Sequence[str]) -> Iterator[Finding]:
    """Leaves through `SystemExit`, with 2, on a flag that doesn't exist."""
    try:
        kind = program.settings_class()
        settings = config.load(kind, flags, program=f"python -m {program.package}.doctor")
    except SettingsError as error:
        for line in str(error).splitlines():
            yield _named("settings", fault(f"{line}.", MEND))
        return
    yield _named("settings", ok(f"Those of {settings.environment}."))
    program.app(settings)  # imports every collection, whose indexes are looked at
    yield from examine(port, settings, program.server)
    for check in (file_limit, disk_space, folders, certificate, proxies):
        yield from examine(check, settings)
    yield from examine(secrets, settings, flags)
    yield from _on_mongodb(settings)


def _on_mongodb(settings: ServerSettings) -> Iterator[Finding]:
    reached = Reached()
    # At most four operations follow each other, each bounded by the setting; then it is closed.
    seconds = 4 * settings.mongodb_timeout_seconds + CHECK_SECONDS
    yield from examine(mongodb, settings, reached, seconds=seconds)
    if reached.facts:
        for check in ON_FACTS:
            for finding in examine(check, settings, reached.facts):
                yield _named(f"mongodb {finding.name}", finding)


def _named(name: str, finding: Finding) -> Finding:
    return dataclasses.replace(finding, name=name)
