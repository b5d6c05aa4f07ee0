"""Whether a server with these flags, this environment and this file would run well."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

# The application imports every collection, whose indexes are looked at.
import indico.app  # noqa: F401
from indico import config
from indico.config import Settings, SettingsError
from indico.doctor.finding import CHECK_SECONDS, Finding, examine, fault, ok
from indico.doctor.machine import certificate, disk_space, file_limit, folders, port
from indico.doctor.mongodb import ON_FACTS, Reached, mongodb
from indico.doctor.trust import proxies, secrets

MEND = "Set it by its flag, in the environment or in the file. Then see the rest, skipped now."


def findings(flags: Sequence[str]) -> Iterator[Finding]:
    """Leaves through `SystemExit`, with 2, on a flag that doesn't exist."""
    try:
        settings = config.load(flags, program="python -m indico.doctor")
    except SettingsError as error:
        for line in str(error).splitlines():
            yield _named("settings", fault(f"{line}.", MEND))
        return
    yield _named("settings", ok(f"Those of {settings.environment}."))
    for check in (port, file_limit, disk_space, folders, certificate, proxies):
        yield from examine(check, settings)
    yield from examine(secrets, settings, flags)
    yield from _on_mongodb(settings)


def _on_mongodb(settings: Settings) -> Iterator[Finding]:
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
