"""`bench batches`: the best number of batches in flight, near to MongoDB and far from it."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast, get_args

import uvloop

from bench import machine
from bench.data import TEXT, TITLE
from bench.mongodb import embedded
from indico.db import ObjectId
from indico.engine.mongo import connection as db
from indico.engine.mongo.collection import Collection, Document
from indico.engine.mongo.driver import Driver, mongodb
from indico.engine.tests.mongo.proxy import Proxy

DATABASE = "bench_batches"
DELAYS = (0, 1, 5)  # milliseconds, in each direction
IN_FLIGHT = (0, 1, 2, 4, 8)
CALLERS = (1, 32, 256)
ARRIVALS = 1000  # a second
NOTES = 10_000
SCRATCH = Path(__file__).parent.parent / ".bench"

Operation = Callable[[], Awaitable[object]]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench batches", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="for each measurement; default: 1")
    parser.add_argument("--driver", choices=get_args(Driver), default="motor")
    options = parser.parse_args(arguments)
    server_core, other_core = machine.two_cores()
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH) as folder:
        with machine.pinned(other_core):
            mongodb = embedded(Path(folder))
            uri = mongodb.__enter__().uri
        try:
            print(
                "operations/s, p50 of    ",
                *(f"{callers:>11} callers" for callers in CALLERS),
                f"   p50, p99 of {ARRIVALS:,}/s",
            )
            for delay in DELAYS:
                with machine.pinned(other_core):
                    ours, theirs = multiprocessing.Pipe()
                    spawn = multiprocessing.get_context("spawn")
                    process = spawn.Process(target=_proxy, args=(theirs, uri, delay / 1000))
                    process.start()
                with (
                    machine.pinned(server_core),
                    asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
                ):
                    near = uri if delay == 0 else cast(str, ours.recv())
                    runner.run(_measure(near, options.driver, options.seconds, delay))
                process.terminate()
                process.join()
        finally:
            mongodb.__exit__(None, None, None)
    return 0


def _proxy(told: Connection, uri: str, delay_seconds: float) -> None:
    with Proxy(uri) as proxy:
        proxy.delay_seconds = delay_seconds
        told.send(proxy.uri)
        while True:
            time.sleep(60)


async def _measure(uri: str, driver: Driver, seconds: float, delay: int) -> None:
    notes = Collection("notes", Document)
    Collection.declared.remove(notes)
    ids = [ObjectId() for _ in range(NOTES)]
    operations: dict[str, Operation] = {
        "find": lambda: notes.find_by_id(random.choice(ids)),  # noqa: S311
        "update": lambda: notes.update_by_id(random.choice(ids), {"title": TITLE}),  # noqa: S311
        "insert": lambda: notes.insert({"title": TITLE, "text": TEXT}),
    }
    for in_flight in IN_FLIGHT:
        await db.connect(uri, DATABASE, driver, 30, in_flight)
        await mongodb.client.drop_database(DATABASE)
        await mongodb.notes.insert_many(
            [{"_id": note_id, "title": "", "text": TEXT} for note_id in ids]
        )
        for name, operation in operations.items():
            seen = [await _rate(operation, callers, seconds) for callers in CALLERS]
            if in_flight or not delay:  # without batches, this many operations would only queue
                seen.append(await _latency(operation, seconds))
            print(f"{delay} ms  in flight {in_flight}  {name:7}", *seen, flush=True)
        await db.disconnect()


async def _latency(operation: Operation, seconds: float) -> str:
    """Return p50 and p99 of operations that start at a constant rate, without waiting."""
    took: list[float] = []

    async def call() -> None:
        started = time.perf_counter()
        await operation()
        took.append(time.perf_counter() - started)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(ARRIVALS * seconds)):
            await asyncio.sleep(max(0, begun + number / ARRIVALS - time.perf_counter()))
            group.create_task(call())
    took.sort()
    return f"{took[len(took) // 2] * 1000:7.1f} ms {took[len(took) * 99 // 100] * 1000:6.1f} ms"


async def _rate(operation: Operation, callers: int, seconds: float) -> str:
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def call() -> None:
        while (started := time.perf_counter()) < end:
            await operation()
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(call() for _ in range(callers)))
    took.sort()
    return f"{len(took) / seconds:9,.0f} {took[len(took) // 2] * 1000:6.1f} ms"
