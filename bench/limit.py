"""`bench limit`: the distance between indico and an empty server, and the driver alone."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from pymongo import InsertOne

from bench import load, machine
from bench.data import CREATED_AT, TEXT, TITLE, WORKLOADS, Data
from bench.mongodb import MongoDB, embedded
from bench.servers import OURS, Peer, running
from indico.db import ObjectId
from indico.engine.mongo import connection as db
from indico.engine.mongo.collection import Collection, Document
from indico.engine.mongo.driver import mongodb

DATABASE = "bench_limit"
CONNECTIONS = 32
EMPTY = Peer("empty httptools protocol", "bench.empty", ("httptools", "uvloop"))
SCRATCH = Path(__file__).parent.parent / ".bench"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench limit", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="for each measurement; default: 3")
    seconds = parser.parse_args(arguments).seconds
    machine.require_wrk()
    core, other_core = machine.two_cores()
    SCRATCH.mkdir(exist_ok=True)
    with (
        machine.pinned(other_core),
        tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder,
        embedded(Path(folder)) as mongodb,
    ):
        errors = _serve(mongodb, Path(folder), core, seconds)
        with (
            machine.pinned(core),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_operate(mongodb.uri, seconds))
    return 1 if errors else 0


def _serve(mongodb: MongoDB, folder: Path, core: int, seconds: float) -> int:
    """Print the cost of an echo by each server, and return the number of errors."""
    data, errors = Data(), 0
    data.fill(mongodb.client, DATABASE)
    data.write_requests(folder)
    for peer in (OURS, EMPTY):
        with running(peer, mongodb.uri, DATABASE, core, folder / "server.log") as server:
            load.run(server.port, WORKLOADS[0], CONNECTIONS, 1, folder)
            before = server.processor_seconds()
            seen = load.run(server.port, WORKLOADS[0], CONNECTIONS, seconds, folder)
            used = (server.processor_seconds() - before) / seen.requests * 1e6
            rate = seen.requests / seen.seconds
        failed = sum(seen.errors.values())
        errors += failed
        told = f"{used:7.1f} us of a processor{f'  {failed} ERRORS' if failed else ''}"
        print(f"echo, {peer.name:26} {rate:9,.0f}/s {told}", flush=True)
    return errors


async def _operate(uri: str, seconds: float) -> None:
    await db.connect(uri, DATABASE)
    notes = Collection("notes", Document)
    Collection.declared.remove(notes)
    straight = mongodb.notes
    ids = [note["_id"] for note in await straight.find({}, {"_id": 1}).to_list(None)]

    def some() -> list[ObjectId]:
        return random.sample(ids, CONNECTIONS)

    async def finds() -> None:
        await asyncio.gather(*map(notes.find_by_id, some()))

    async def inserts() -> None:
        await asyncio.gather(*(notes.insert(_note()) for _ in range(CONNECTIONS)))

    async def straight_finds() -> None:
        await straight.find({"_id": {"$in": some()}}).to_list(None)

    async def straight_inserts() -> None:
        writes = [InsertOne(_note()) for _ in range(CONNECTIONS)]
        await straight.bulk_write(writes, ordered=False)

    for name, operation in (
        ("finds, Collection", finds),
        ("finds, the driver's find", straight_finds),
        ("inserts, Collection", inserts),
        ("inserts, the driver's bulk_write", straight_inserts),
    ):
        print(f"{name:32} {await _rate(operation, seconds)}", flush=True)
    await db.disconnect()


def _note() -> dict[str, Any]:
    return {"user_id": ObjectId(), "title": TITLE, "text": TEXT, "created_at": CREATED_AT}


async def _rate(batch: Callable[[], Awaitable[None]], seconds: float) -> str:
    """Run batches of `CONNECTIONS` operations one after the other, and return their rate."""
    end = time.perf_counter() + seconds
    used, count = time.process_time(), 0
    while time.perf_counter() < end:
        await batch()
        count += CONNECTIONS
    used = (time.process_time() - used) / count * 1e6
    return f"{count / seconds:9,.0f}/s {used:7.1f} us of a processor"
