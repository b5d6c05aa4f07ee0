"""The MongoDB of a run, with its data in the run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from indico.engine.mongo.embedded import Embedded


@dataclass(frozen=True)
class MongoDB:
    """A running MongoDB; its `uri` asks for each write to be on disk before the answer."""

    client: MongoClient[dict[str, Any]]
    uri: str

    @property
    def version(self) -> str:
        return str(self.client.server_info()["version"])

    def processor_seconds(self) -> float:
        """Return the user and system time of all threads of MongoDB."""
        times = self.process().cpu_times()
        return times.user + times.system

    def process(self) -> psutil.Process:
        return psutil.Process(self.client.admin.command("serverStatus")["pid"])


@contextmanager
def embedded(folder: Path) -> Iterator[MongoDB]:
    """Run a MongoDB with its data in `folder`. Raise `StartError`."""
    mongod = Embedded(folder, None, lambda line: None)
    try:
        mongod.start()
        uri = f"{mongod.uri}&w=majority&journal=true"
        with MongoClient[dict[str, Any]](uri) as client:
            yield MongoDB(client, uri)
    finally:
        mongod.stop()
