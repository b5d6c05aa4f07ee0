"""The data in each peer's database, and the requests: the same for all peers, in every run."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

USERS = 1000
NOTES = 10_000
REQUESTS = 10_000
TITLE = "Buy milk"
# In a title, it stands for a number that each request gets anew, so that each update is a change:
# MongoDB answers an update that changes nothing without a write.
NUMBER = "#" * 16
TEXT = "Two litres, and the bread that was so good last week. " * 4
CREATED_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
ECHO = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "active": True,
    "visits": [1, 2, 3, 5, 8],
}


@dataclass(frozen=True)
class Workload:
    """A kind of request; `token` says whether the request needs one."""

    name: str
    title: str
    path: str
    token: bool = True


# Workloads that write are last, because they change the data of the others.
WORKLOADS = (
    Workload("echo", "echo", "/system/echo", token=False),
    Workload("read", "authenticated read", "/note/get"),
    Workload("update", "authenticated update", "/note/update"),
    Workload("insert", "authenticated insert", "/note/create"),
)


class Data:
    """Users with a session each, and notes; `expired` is the token of an expired session."""

    def __init__(self, notes: int = NOTES) -> None:
        self._random = random.Random(2015)  # noqa: S311
        self.tokens = [self._token() for _ in range(USERS)]
        self.expired = self._token()
        self.user_ids = [_object_id(1, number) for number in range(USERS)]
        self.note_ids = [_object_id(2, number) for number in range(notes)]

    def fill(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        """Create `database` anew; on return MongoDB has the data on disk."""
        client.drop_database(database)
        now = datetime.now(UTC)
        week = timedelta(days=7)
        ends = [*((token, now + week) for token in self.tokens), (self.expired, now - week)]
        client[database].sessions.insert_many(
            {
                "_id": hashlib.sha256(token.encode()).digest(),
                "user_id": self.user_ids[number % USERS],
                "created_at": now - week,
                "expires_at": end,
                # Ours writes the time of a use, once in ten minutes of a session. All of these
                # writes would fall into the first seconds of a measurement.
                "last_used_at": now,
            }
            for number, (token, end) in enumerate(ends)
        )
        client[database].notes.create_index("user_id")
        client[database].notes.insert_many(
            {
                "_id": note_id,
                "user_id": self.user_ids[number % USERS],
                "title": TITLE,
                "text": TEXT,
                "created_at": CREATED_AT,
            }
            for number, note_id in enumerate(self.note_ids)
        )
        client.admin.command("fsync")

    def write_requests(self, folder: Path) -> None:
        """Write a file for each workload, in the format that `load.lua` reads."""
        for workload in WORKLOADS:
            lines = [workload.path]
            for _ in range(REQUESTS):
                token = self._random.choice(self.tokens) if workload.token else ""
                lines.append(f"{token}\t{json.dumps(self._body(workload.name))}")
            (folder / workload.name).write_text("\n".join(lines) + "\n")

    def _body(self, workload: str) -> dict[str, Any]:
        note_id = str(self._random.choice(self.note_ids))
        title = f"{TITLE} {NUMBER}"
        bodies: dict[str, dict[str, Any]] = {
            "echo": ECHO,
            "read": {"id": note_id},
            "update": {"id": note_id, "title": title},
            "insert": {"title": title, "text": TEXT},
        }
        return bodies[workload]

    def _token(self) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(32)).decode().rstrip("=")


def _object_id(kind: int, number: int) -> ObjectId:
    return ObjectId(f"{0x65000000 + number:08x}{kind:016x}")
