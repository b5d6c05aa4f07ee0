"""`bench held`: thousands of calls at once, each held open for its time."""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil
import uvloop

from bench.clients import LENGTH
from bench.machine import UnfitError, description, pinned, two_cores
from bench.mongodb import embedded
from bench.servers import OURS, running

CONNECTIONS = 19_000
DATABASE = "bench_held"
# Between a call and its answer. It is below the default of `request_timeout_seconds`.
HOLD_SECONDS = 28.0
OPENED_PER_SECOND = 1000  # to each server; faster is too much load, which the server refuses
PATIENCE_SECONDS = 60.0  # for calls that were refused at first
RETRY_SECONDS = (1.0, 2.0)  # at least the `Retry-After` of a refusal
PING_PAUSE_SECONDS = 0.005
# Open files that a server and its database need beside the calls.
SPARE_FILES = 500

PING = b"POST /system/ping HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Held:
    """The calls to one server; `lateness` has the delay of each answer, `pings` their times."""

    lateness: list[float] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    refused: int = 0
    most: int = 0  # calls that waited at the same time
    bytes_a_call: float = 0.0


class _Call(asyncio.Protocol):
    """One call that is answered after `seconds`; a refused call is repeated."""

    def __init__(self, seconds: float, seen: Held) -> None:
        self.seconds = seconds
        self.seen = seen
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self._ask()

    def _ask(self) -> None:
        self.due = self.loop.time() + self.seconds
        body = b'{"seconds":%.3f}' % self.seconds
        head = b"POST /wait/hold HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 503 "):
            self.seen.refused += 1
            self.loop.call_later(random.uniform(*RETRY_SECONDS), self._ask)  # noqa: S311
            return
        if data.startswith(b"HTTP/1.1 200 "):
            self.seen.lateness.append(self.loop.time() - self.due)
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.answered.set_result(None)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench held", description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="to each server")
    parser.add_argument("--servers", type=int, nargs="*", default=[1, 2], help="how many, in turn")
    parser.add_argument("--seconds", type=float, default=HOLD_SECONDS, help="of each call")
    options = parser.parse_args(arguments)
    cores = two_cores()
    raise_file_limit(options.connections + SPARE_FILES)
    print(f"indico {description()['indico']}; calls of {options.seconds:g} s")
    print(
        "servers   calls  at once answered refused  late p99  late max  memory a call"
        "  ping p50  ping p99"
    )
    lost = 0
    for servers in options.servers:
        results = _measure(servers, options.connections, options.seconds, cores)
        for result in results:
            lost += options.connections - min(result.most, len(result.lateness))
        print(_row(servers, options.connections, results), flush=True)
    if lost:
        print(f"{lost} calls were not answered, or not held at the same time as all others")
    return 1 if lost else 0


def _measure(servers: int, connections: int, seconds: float, cores: Sequence[int]) -> list[Held]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indico-bench-")))
        with pinned(cores[1]):
            mongodb = stack.enter_context(embedded(folder / "data"))
            spawn = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(servers, spawn))
            list(pool.map(time.sleep, [0.1] * servers))  # starts the processes now, on this core
        started = [
            stack.enter_context(
                running(OURS, mongodb.uri, DATABASE, cores[number % 2], folder / f"{number}.log")
            )
            for number in range(servers)
        ]
        ports = [server.port for server in started]
        pids = [server.pid for server in started]
        return list(pool.map(hold, ports, pids, [connections] * servers, [seconds] * servers))


def hold(port: int, pid: int, connections: int, seconds: float) -> Held:
    """Hold `connections` calls, each for `seconds`, to the process `pid` that listens on `port`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_hold(port, psutil.Process(pid), connections, seconds))


async def _hold(port: int, server: psutil.Process, connections: int, seconds: float) -> Held:
    loop = asyncio.get_running_loop()
    seen = Held()
    pinging = asyncio.create_task(_ping(port, seen))
    before = server.memory_info().rss
    begun = loop.time()

    async def open_one(number: int) -> _Call:
        await asyncio.sleep(begun + number / OPENED_PER_SECOND - loop.time())
        _, call = await loop.create_connection(lambda: _Call(seconds, seen), "127.0.0.1", port)
        return call

    calls = await asyncio.gather(*(open_one(number) for number in range(connections)))
    seen.most = connections - len(seen.lateness)
    seen.bytes_a_call = (server.memory_info().rss - before) / seen.most
    await asyncio.wait([call.answered for call in calls], timeout=seconds + PATIENCE_SECONDS)
    pinging.cancel()
    return seen


async def _ping(port: int, seen: Held) -> None:
    """Ping on one connection, until cancelled, and note the seconds until each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        started = time.perf_counter()
        writer.write(PING)
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = LENGTH.findall(head)
        await reader.readexactly(int(length))
        seen.pings.append(time.perf_counter() - started)
        await asyncio.sleep(PING_PAUSE_SECONDS)


def _row(servers: int, connections: int, results: list[Held]) -> str:
    lateness = sorted(late for result in results for late in result.lateness)
    pings = sorted(took for result in results for took in result.pings)
    memory = max(result.bytes_a_call for result in results)
    return (
        f"{servers:7} {servers * connections:7} {sum(result.most for result in results):8}"
        f" {len(lateness):8} {sum(result.refused for result in results):7}"
        f"  {_part(lateness, 0.99) * 1000:5.1f} ms  {_part(lateness, 1) * 1000:5.1f} ms"
        f"  {memory / 1024:10.1f} KB"
        f"  {_part(pings, 0.5) * 1000:5.1f} ms  {_part(pings, 0.99) * 1000:5.1f} ms"
    )


def _part(values: list[float], part: float) -> float:
    return values[min(int(len(values) * part), len(values) - 1)] if values else math.nan


def raise_file_limit(files: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files > most:
        raise UnfitError(f"bench held needs {files} open files: ulimit -n allows {most}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
