"""`bench jobs`: 100,000 jobs are queued, and run by one process and by two."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import uvloop

from bench import machine
from bench.mongodb import MongoDB, embedded
from indico.engine.jobs.job_document import JOBS
from indico.engine.jobs.worker import JobWorker
from indico.engine.mongo import connection as db
from indico.service.jobs import Job, job

DATABASE = "bench_jobs"
QUEUED_AT_ONCE = 500
PAUSE_SECONDS = 0.1  # between two jobs whose latency is measured
HEAD = "processes      jobs  queued/s    done/s  worker, a job  MongoDB  memory before      most"
_LOOK_SECONDS = 0.02
_MEBIBYTE = 1 << 20


@dataclass
class Worker:
    """A process that runs jobs; it tells what it is ready for by `pipe`, and is told to go on."""

    process: psutil.Process
    pipe: Connection
    memory_before: float = 0.0
    most_memory: float = 0.0

    def memory(self) -> float:
        return float(self.process.memory_info().rss / _MEBIBYTE)

    def processor_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--processes", default="1,2", help="default: 1,2")
    parser.add_argument("--calls", type=int, default=200, help="jobs one by one; default: 200")
    parser.add_argument("--concurrency", type=int, default=32, help="of a process; default: 32")
    options = parser.parse_args(arguments)
    cores = machine.two_cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indico-bench-")))
        stack.enter_context(machine.pinned(cores[1]))
        mongodb = stack.enter_context(embedded(folder))
        print(HEAD)
        for processes in map(int, options.processes.split(",")):
            with _workers(mongodb.uri, processes, options.concurrency, cores) as workers:
                print(_run(mongodb, options.jobs, workers, cores[0]), flush=True)
        with _workers(mongodb.uri, 1, options.concurrency, cores) as workers:
            print(_latency(mongodb.uri, options.calls, workers[0]))
        mongodb.client.drop_database(DATABASE)
    return 0


@contextmanager
def _workers(
    uri: str, processes: int, concurrency: int, cores: tuple[int, int]
) -> Iterator[list[Worker]]:
    """Start processes on both cores in turn, wait until they are ready, and end them."""
    workers = []
    started = []
    for number in range(processes):
        ours, theirs = multiprocessing.Pipe()
        with machine.pinned(cores[number % 2]):
            spawn = multiprocessing.get_context("spawn")
            process = spawn.Process(target=_work, args=(theirs, uri, DATABASE, concurrency))
            process.start()
        started.append(process)
        workers.append(Worker(psutil.Process(process.pid), ours))
    for worker in workers:
        worker.pipe.recv()
    yield workers
    for worker, process in zip(workers, started, strict=True):
        worker.pipe.send("end")
        process.join()


def _run(mongodb: MongoDB, jobs: int, workers: list[Worker], core: int) -> str:
    """Queue jobs, let the workers run them, and return a line of results."""
    began = time.perf_counter()
    with machine.pinned(core):
        asyncio.run(_queue(mongodb.uri, DATABASE, jobs))
    queued = time.perf_counter() - began
    stored = mongodb.client[DATABASE].jobs
    for worker in workers:
        worker.memory_before = worker.memory()
    before = sum(worker.processor_seconds() for worker in workers), mongodb.processor_seconds()
    began = time.perf_counter()
    for worker in workers:
        worker.pipe.send("begin")
    while stored.estimated_document_count():
        for worker in workers:
            worker.most_memory = max(worker.most_memory, worker.memory())
        time.sleep(_LOOK_SECONDS)
    done = time.perf_counter() - began
    used = sum(worker.processor_seconds() for worker in workers) - before[0]
    database = mongodb.processor_seconds() - before[1]
    memory = max(workers, key=lambda worker: worker.most_memory)
    return (
        f"{len(workers):9} {jobs:9,} {jobs / queued:9,.0f} {jobs / done:9,.0f}"
        f"  {used / jobs * 1e6:10.0f} us {database / jobs * 1e6:5.0f} us"
        f"  {memory.memory_before:11.1f} MB {memory.most_memory:5.1f} MB"
    )


async def _queue(uri: str, database: str, jobs: int) -> None:
    await db.connect(uri, database, timeout_seconds=30)
    nothing, _ = _declare([])
    for first in range(0, jobs, QUEUED_AT_ONCE):
        numbers = range(first, min(jobs, first + QUEUED_AT_ONCE))
        await asyncio.gather(*(nothing.later(number) for number in numbers))
    await db.disconnect()


def _latency(uri: str, calls: int, worker: Worker) -> str:
    """Return how long single jobs wait for a worker with nothing else to do."""
    worker.pipe.send("begin")
    asyncio.run(_call(uri, DATABASE, calls))
    worker.pipe.send("tell")
    took = sorted(worker.pipe.recv())
    half, most = took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000
    return f"a job that is queued alone begins after {half:.1f} ms, p99 {most:.1f} ms"


async def _call(uri: str, database: str, calls: int) -> None:
    await db.connect(uri, database, timeout_seconds=30)
    _, note = _declare([])
    for _ in range(calls):
        await note.later(time.time())
        await asyncio.sleep(PAUSE_SECONDS)
    while await JOBS.exists({}):
        await asyncio.sleep(PAUSE_SECONDS)
    await db.disconnect()


def _work(pipe: Connection, uri: str, database: str, concurrency: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_jobs(pipe, uri, database, concurrency))


async def _run_jobs(pipe: Connection, uri: str, database: str, concurrency: int) -> None:
    """Run jobs once the parent says so, until it says to end."""
    took: list[float] = []
    _declare(took)
    await db.connect(uri, database, timeout_seconds=30)
    worker = JobWorker(concurrency, 30)
    pipe.send("ready")
    while (order := await asyncio.to_thread(pipe.recv)) != "end":
        if order == "begin":
            worker.start()
        else:
            pipe.send(took)
    await worker.drain(30)
    await db.disconnect()


def _declare(took: list[float]) -> tuple[Job[[int], None], Job[[float], None]]:
    """Declare a job that does nothing, and a job that notes in `took` how long it has waited."""

    @job()
    async def nothing(number: int) -> None: ...

    @job()
    async def note(sent: float) -> None:
        took.append(time.time() - sent)

    return nothing, note
