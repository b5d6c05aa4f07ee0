"""The MongoDB of a run, with its data in the run's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from bench import replica_set


@dataclass(frozen=True)
class Deployment:
    """A replica set to run: the number of its members, and whether connections use TLS."""

    members: int = 1
    tls: bool = False

    def __str__(self) -> str:
        return f"replica set of {self.members}{', TLS' if self.tls else ''}, w: majority, journal"

    def differences(self) -> list[str]:
        """Return a word for each difference to the plain one, for the name of a file."""
        members = [f"{self.members}-members"] if self.members != 1 else []
        return [*members, *(["tls"] if self.tls else [])]


PLAIN = Deployment()


@dataclass(frozen=True)
class MongoDB:
    """A running MongoDB; its `uri` asks for each write to be on disk before the answer."""

    client: MongoClient[dict[str, Any]]
    uri: str
    processes: Sequence[psutil.Process]

    @property
    def version(self) -> str:
        return str(self.client.server_info()["version"])

    def processor_seconds(self) -> float:
        """Return the user and system time of all threads of all members."""
        times = [process.cpu_times() for process in self.processes]
        return sum(time.user + time.system for time in times)


@contextmanager
def embedded(folder: Path, deployment: Deployment = PLAIN) -> Iterator[MongoDB]:
    """Run a MongoDB with its data in `folder`. Raise `StartError` and `UnfitError`."""
    with replica_set.running(folder, deployment.members, deployment.tls) as (uri, processes):
        uri = f"{uri}&w=majority&journal=true"
        with MongoClient[dict[str, Any]](uri) as client:
            yield MongoDB(client, uri, processes)
