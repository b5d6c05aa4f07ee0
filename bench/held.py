"""`bench held`: thousands of calls at once, each held open until its time."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import uvloop

from bench.machine import UnfitError, pinned, require
from bench.mongodb import embedded
from bench.servers import OURS, running

CONNECTIONS = 19_000
OPEN_SECONDS = 30.0  # for each server, to open its calls
HOLD_SECONDS = 15.0  # between the last opening and the first answer
ANSWER_SECONDS = 15.0  # between the first answer and the last one
OPENING_AT_ONCE = 100
GRACE_SECONDS = 5.0
PING_PAUSE_SECONDS = 0.005
# Open files that a server and its database need beside the calls.
SPARE_FILES = 500

PING = b"POST /system/ping HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True)
class Held:
    """The calls to one server; `lateness` has the delay of each answer in seconds."""

    lateness: list[float]
    bytes_a_call: float
    pings: list[float]


class _Call(asyncio.Protocol):
    """One call that is answered at `due`, a time of the loop's clock."""

    def __init__(self, due: float, lateness: list[float]) -> None:
        self.due = due
        self.lateness = lateness

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        body = b'{"seconds":%.3f}' % (self.due - self.loop.time())
        head = b"POST /wait/hold HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200 "):
            self.lateness.append(self.loop.time() - self.due)
        self.transport.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench held", description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="to each server")
    parser.add_argument("--servers", type=int, nargs="*", default=[1, 2], help="how many, in turn")
    options = parser.parse_args(arguments)
    cores = require()
    _raise_file_limit(options.connections + SPARE_FILES)
    print("servers   calls answered  late p99  late max  memory a call  ping p50  ping p99")
    lost = 0
    for servers in options.servers:
        results = _measure(servers, options.connections, cores)
        lost += sum(options.connections - len(result.lateness) for result in results)
        print(_row(servers, options.connections, results), flush=True)
    return 1 if lost else 0


def _measure(servers: int, connections: int, cores: Sequence[int]) -> list[Held]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indico-bench-")))
        with pinned(cores[1]):
            mongodb = stack.enter_context(embedded(folder / "data"))
            spawn = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(servers, spawn))
            list(pool.map(time.sleep, [0.1] * servers))  # starts the processes now, on this core
        started = [
            stack.enter_context(
                running(OURS, mongodb.uri, "test_held", cores[number % 2], folder / f"{number}.log")
            )
            for number in range(servers)
        ]
        ports = [server.port for server in started]
        pids = [server.pid for server in started]
        wait = servers * OPEN_SECONDS + HOLD_SECONDS
        return list(pool.map(hold, ports, pids, [connections] * servers, [wait] * servers))


def hold(port: int, pid: int, connections: int, wait: float) -> Held:
    """Hold `connections` calls to the server on `port`, which is the process `pid`.

    The first answer is due after `wait` seconds.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_hold(port, psutil.Process(pid), connections, wait))


async def _hold(port: int, server: psutil.Process, connections: int, wait: float) -> Held:
    loop = asyncio.get_running_loop()
    lateness: list[float] = []
    pinging = True
    pings = asyncio.create_task(_ping(port, lambda: pinging))
    await asyncio.sleep(1)
    before = server.memory_info().rss
    first_due = loop.time() + wait
    room = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(number: int) -> None:
        due = first_due + ANSWER_SECONDS * number / connections
        async with room:
            await loop.create_connection(lambda: _Call(due, lateness), "127.0.0.1", port)

    await asyncio.gather(*(open_one(number) for number in range(connections)))
    if loop.time() > first_due - HOLD_SECONDS / 2:
        raise UnfitError("bench held: this machine is too busy to open the calls in time.")
    await asyncio.sleep(HOLD_SECONDS / 2)
    after = server.memory_info().rss
    await asyncio.sleep(first_due + ANSWER_SECONDS + GRACE_SECONDS - loop.time())
    pinging = False
    return Held(lateness, (after - before) / connections, await pings)


async def _ping(port: int, go_on: Callable[[], bool]) -> list[float]:
    """Ping on one connection, and return the seconds until each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    while go_on():
        started = time.perf_counter()
        writer.write(PING)
        await reader.readuntil(b'"pong"}')
        took.append(time.perf_counter() - started)
        await asyncio.sleep(PING_PAUSE_SECONDS)
    writer.close()
    return took


def _row(servers: int, connections: int, results: list[Held]) -> str:
    lateness = sorted(late for result in results for late in result.lateness)
    pings = sorted(took for result in results for took in result.pings)
    memory = max(result.bytes_a_call for result in results)
    return (
        f"{servers:7} {servers * connections:7} {len(lateness):8}"
        f"  {_part(lateness, 0.99) * 1000:5.1f} ms  {lateness[-1] * 1000:5.1f} ms"
        f"  {memory / 1024:10.1f} KB"
        f"  {_part(pings, 0.5) * 1000:5.1f} ms  {_part(pings, 0.99) * 1000:5.1f} ms"
    )


def _part(values: list[float], part: float) -> float:
    return values[int(len(values) * part)]


def _raise_file_limit(files: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files > most:
        raise UnfitError(f"bench held needs {files} open files: ulimit -n allows {most}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
