"""`bench soak`: users at full load for minutes, whose every answer is known before.

Some of them stall, pipeline, or drop their connection in the middle of a request. Beside them,
updates race, logins race with changes of the password, and slow clients are to be disconnected.
Meanwhile the memory, the open files and the connections of the server are sampled.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import mean

from bench import lost_updates, machine, password_races, slow_clients
from bench.data import USERS, Data
from bench.mongodb import embedded
from bench.servers import OURS, Server, running
from bench.soak_users import Soaked, User

DATABASE = "bench_soak"
SAMPLE_SECONDS = 1.0
WARM_UP = 0.1  # the part of the samples that is not looked at
# The mean of the last third may be larger than the one of the first third by this part.
FLAT = 0.1
_SHOWN = 10
_CONNECTIONS = ("indico_database_connections ", "indico_database_connections{")


@dataclass(frozen=True)
class Sample:
    """What the server holds at a moment."""

    memory_mib: float
    open_files: float
    database_connections: float


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 run.py bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument("--users", type=int, default=200, help=f"at most {USERS}; default: 200")
    parser.add_argument("--nginx", action="store_true", help="through nginx with deploy/nginx.conf")
    options = parser.parse_args(arguments)
    core, other_core = machine.two_cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indico-bench-")))
        stack.enter_context(machine.pinned(other_core))
        mongodb = stack.enter_context(embedded(folder / "data"))
        data = Data()
        data.fill(mongodb.client, DATABASE)
        # All accounts, and the wrong passwords of the races, come from one address.
        flags = ("--login-limit", "off", "--registration-limit", "off")
        proxied = ("--trusted-proxies", "127.0.0.1") if options.nginx else ()
        peer = replace(OURS, flags=(*flags, *proxied))
        server = stack.enter_context(
            running(peer, mongodb.uri, DATABASE, core, folder / "server.log")
        )
        port = stack.enter_context(_nginx(folder, server.port)) if options.nginx else server.port
        print(f"indico {machine.description()['indico']}; {options.users} users", flush=True)
        return asyncio.run(_soak(server, port, data, options.users, options.minutes * 60))


@contextmanager
def _nginx(folder: Path, port: int) -> Iterator[int]:
    from indico.tests.deploy.nginx import Nginx

    with Nginx(folder, [port]) as nginx:
        yield nginx.port


async def _soak(server: Server, port: int, data: Data, count: int, seconds: float) -> int:
    seen, samples = Soaked(), list[Sample]()
    sampling = asyncio.create_task(_sample(server, samples))
    half = len(data.note_ids) // 2
    users = [
        User(port, data.tokens[n], str(data.note_ids[n]), str(data.note_ids[half + n]), seen)
        for n in range(count)
    ]
    until = asyncio.get_running_loop().time() + seconds
    attacked = asyncio.create_task(_attack(port, server.port))
    await asyncio.gather(*(user.run(until) for user in users))
    sampling.cancel()
    print(_report(seen, samples))
    flat = all(_is_flat(first, last) for _, first, _, last in _thirds(samples))
    return 0 if await attacked and flat and not seen.wrong else 1


async def _attack(port: int, port_of_the_server: int) -> bool:
    """Race and be slow beside the users; say how it went, and return whether all held.

    The slow clients connect to the server itself, because nginx reads slow requests in its place.
    """
    (counted, lost), races, closed = await asyncio.gather(
        lost_updates.race(port),
        password_races.race(port),
        slow_clients.disconnected(port_of_the_server),
    )
    print(f"racing updates: {counted} of {lost_updates.UPDATES} are stored; {lost} races lost")
    print(
        f"password races: {races.accounts} accounts, {races.tokens} tokens of an old password; "
        f"{len(races.wrong)} rules broken, {races.unclear} accounts unclear",
        *races.wrong[:_SHOWN],
        sep="\n",
    )
    each = slow_clients.OF_EACH_KIND
    open_still = [f"{kind}: {count} of {each}" for kind, count in closed.items() if count < each]
    print(
        f"slow clients: {sum(closed.values())} of {len(closed) * each} were disconnected",
        *open_still,
        sep="\n",
    )
    return counted == lost_updates.UPDATES and not races.wrong and not open_still


async def _sample(server: Server, samples: list[Sample]) -> None:
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        connections = await asyncio.to_thread(_database_connections, server.port)
        samples.append(Sample(server.memory_bytes() / 2**20, server.open_files(), connections))


def _database_connections(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        lines = page.read().decode().splitlines()
    name = "indico_database_connections"
    return sum(
        float(line.split()[-1]) for line in lines if line.partition("{")[0].split()[0] == name
    )


def _thirds(samples: list[Sample]) -> Iterator[tuple[str, float, float, float]]:
    """Yield the name of each value, and its mean in each third."""
    looked_at = samples[int(len(samples) * WARM_UP) :]
    third = max(1, len(looked_at) // 3)
    for value in fields(Sample):
        values = [getattr(sample, value.name) for sample in looked_at] or [0.0]
        name = value.name.replace("_", " ").replace("mib", "MiB")
        parts = values[:third], values[third:-third] or values, values[-third:]
        yield name, *map(mean, parts)


def _is_flat(first: float, last: float) -> bool:
    return last <= first * (1 + FLAT)


def _report(seen: Soaked, samples: list[Sample]) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(seen.requests.items()))
    lines = [
        f"{seen.checked:,} answers, each compared with the known one: {len(seen.wrong)} wrong",
        f"of them: {kinds}; {seen.refused:,} refused because of too much load, "
        f"{seen.timed_out:,} at the deadline",
        *seen.wrong[:_SHOWN],
    ]
    for name, first, middle, last in _thirds(samples):
        verdict = "flat" if _is_flat(first, last) else "GROWS"
        lines.append(f"{name}, a third each: {first:,.1f}, {middle:,.1f}, {last:,.1f}: {verdict}")
    return "\n".join(lines)
