"""`python -m indico.seed`: fills a development database with accounts to try."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from indico.engine.requirements import required
from indico.server import PROGRAM

with required():
    from indico.config import Settings
    from indico.db import ObjectId
    from indico.engine.process.script import run_in_development
    from indico.engine.progress import Progress
    from indico.error import EmailTaken
    from indico.service import accounts
    from indico.service.address_book import create_address

PASSWORD = "correct horse battery"  # noqa: S105 - everybody may know it
NAMES = (
    *("Ada Lovelace", "Alan Turing", "Barbara Liskov", "Donald Knuth", "Edsger Dijkstra"),
    *("Frances Allen", "Grace Hopper", "John McCarthy", "Margaret Hamilton", "Niklaus Wirth"),
)


async def seed(settings: Settings, progress: Progress) -> None:
    """Make an account for each name, unless its email is taken, and say how to log in."""
    made: list[ObjectId] = []
    for done, name in enumerate(NAMES, 1):
        new = await make_account(name, settings.session_ttl_seconds)
        made += new
        await make_addresses(new)
        progress.count("accounts", done, len(NAMES))
    kept = len(NAMES) - len(made)
    progress.say(f"{len(made)} accounts made in {settings.mongodb_database}, {kept} kept")
    progress.say(f"{len(NAMES) * len(made)} addresses made, {len(NAMES)} for each new account")
    # The README registers the first name with another password.
    body = json.dumps({"email": email(NAMES[-1]), "password": PASSWORD})
    progress.say(f"log in: curl localhost:{settings.port}/auth/login -d '{body}'")


async def make_account(name: str, ttl_seconds: int) -> list[ObjectId]:
    """Return the id of a new account, or nothing if there is one with this email."""
    try:
        opened = await accounts.register(email(name), name, PASSWORD, ttl_seconds)
    except EmailTaken:
        return []
    return [opened["user"]["id"]]


async def make_addresses(user_ids: list[ObjectId]) -> None:
    for user_id in user_ids:
        for name in NAMES:
            await create_address(user_id, {"name": name, "emails": [{"email": email(name)}]})


def email(name: str) -> str:
    """Return the email of a made-up person, at a domain that belongs to nobody."""
    return f"{name.split()[0].lower()}@example.com"


def main(flags: Sequence[str]) -> int:
    """Run the command, and return its exit code."""
    options = argparse.ArgumentParser(
        prog="python -m indico.seed",
        description="Fills a development database with accounts to try.",
        add_help=False,
    )
    return run_in_development(PROGRAM, options, flags, seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
