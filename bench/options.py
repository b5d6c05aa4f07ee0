"""The flags of `bench peers` and `bench cost`: rounds, servers, workloads, connections, MongoDB."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bench.data import WORKLOADS, Workload
from bench.mongodb import Deployment
from bench.results import Cell
from bench.servers import OURS, PEERS, Peer

CONNECTIONS = (1, 8, 32, 256)
T = TypeVar("T", Workload, Peer)


@dataclass(frozen=True)
class Options:
    """The parsed flags. `servers` begins with ours.

    `complete` is a run that measures everything, with any MongoDB.
    """

    rounds: int
    seconds: int
    servers: tuple[Peer, ...]
    workloads: tuple[Workload, ...]
    connections: tuple[int, ...]
    mongodb: Deployment
    command: str
    complete: bool = False

    @property
    def cells(self) -> list[Cell]:
        return [(workload.name, n) for workload in self.workloads for n in self.connections]


def parse(arguments: Sequence[str]) -> Options:
    """Parse the flags. Raise `SystemExit`, as argparse does, for `--help` and unknown flags."""
    own, *variants = _split(arguments)
    parser = _peers_parser()
    given, default = parser.parse_args(own), parser.parse_args([])
    default.tls, default.members = given.tls, given.members
    return replace(
        options(given, (OURS, *map(_variant, variants), *given.peers), ("peers", *arguments)),
        complete=given == default and not variants,
    )


def options(
    given: argparse.Namespace, servers: tuple[Peer, ...], command: Sequence[str]
) -> Options:
    """Return the flags of a `parser`, with these servers."""
    return Options(
        rounds=given.rounds,
        seconds=given.seconds,
        servers=servers,
        workloads=given.workloads,
        connections=given.connections,
        mongodb=Deployment(given.members, given.tls),
        command=" ".join(("python3 run.py bench", *command)),
    )


def parser(
    command: str, description: str, rounds: int, epilog: str = ""
) -> argparse.ArgumentParser:
    """Return a parser of the flags that `peers` and `cost` share."""
    made = argparse.ArgumentParser(
        prog=f"python3 run.py bench {command}", description=description, epilog=epilog
    )
    made.add_argument("--rounds", type=_number, default=rounds, help=f"default: {rounds}")
    made.add_argument("--seconds", type=_number, default=2, help="for each cell; default: 2")
    workloads = [workload.name for workload in WORKLOADS]
    _add_list(made, "workloads", partial(_chosen, WORKLOADS), workloads)
    _add_list(made, "connections", _numbers, map(str, CONNECTIONS))
    made.add_argument("--tls", action="store_true", help="TLS to MongoDB, for all servers")
    made.add_argument(
        "--members", type=_number, default=1, help="of MongoDB's replica set; default: 1"
    )
    return made


def _peers_parser() -> argparse.ArgumentParser:
    made = parser(
        "peers",
        "Measure indico beside other frameworks. A whole run takes about 20 minutes.",
        rounds=3,
        epilog="Flags of indico's server after -- measure indico once more with these flags. "
        "Further -- work the same way. A run with other options than --tls and --members writes "
        "its results to .bench, not to bench.",
    )
    _add_list(made, "peers", partial(_chosen, PEERS), [peer.name for peer in PEERS])
    return made


def _add_list(
    parser: argparse.ArgumentParser,
    name: str,
    kind: Callable[[str], tuple[object, ...]],
    known: Iterable[str],
) -> None:
    default = ",".join(known)
    parser.add_argument(f"--{name}", type=kind, default=default, help=f"default: {default}")


def _split(arguments: Sequence[str]) -> list[list[str]]:
    """Split the arguments at each `--`."""
    parts: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "--":
            parts.append([])
        else:
            parts[-1].append(argument)
    return parts


def _variant(flags: list[str]) -> Peer:
    """Return our server with these flags."""
    return replace(OURS, name=" ".join((OURS.name, *flags)), flags=tuple(flags))


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(_number, text.split(",")))


def _chosen(known: Iterable[T], text: str) -> tuple[T, ...]:
    """Return the items of `known` that `text` names, in the order of `known`."""
    wanted = text.split(",")
    found = tuple(one for one in known if one.name in wanted)
    if missing := [name for name in wanted if name not in [one.name for one in found]]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(missing)}")
    return found
