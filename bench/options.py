"""What is to be measured: the flags of `bench peers`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

from bench.data import WORKLOADS, Workload
from bench.results import Cell
from bench.servers import OURS, PEERS, Peer

CONNECTIONS = (1, 8, 32, 256)
T = TypeVar("T", Workload, Peer)


@dataclass(frozen=True)
class Options:
    """`servers` begins with ours. `complete` says that nothing was left out."""

    rounds: int
    seconds: int
    servers: tuple[Peer, ...]
    workloads: tuple[Workload, ...]
    connections: tuple[int, ...]
    command: str
    complete: bool

    @property
    def cells(self) -> list[Cell]:
        return [(workload.name, n) for workload in self.workloads for n in self.connections]


def parse(arguments: Sequence[str]) -> Options:
    """Leaves through `SystemExit`, as argparse does, on `--help` and on what it doesn't know."""
    own, *variants = _split(arguments)
    parser = _parser()
    given = parser.parse_args(own)
    try:
        return Options(
            rounds=given.rounds,
            seconds=given.seconds,
            servers=(OURS, *map(_variant, variants), *_chosen(PEERS, given.peers)),
            workloads=tuple(_chosen(WORKLOADS, given.workloads)),
            connections=tuple(int(number) for number in given.connections.split(",")),
            command=" ".join(("python3 run.py bench peers", *arguments)),
            complete=not arguments,
        )
    except ValueError as error:
        _refuse(parser, error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 run.py bench peers",
        description="Measures indico beside other frameworks: about 25 minutes with everything.",
        epilog="After --, flags of indico's server measure it once more, with them; after another "
        "--, once more. With any option the results go to .bench, and not to bench.",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="how long each cell is measured")
    for name, all_of_them in (
        ("peers", [peer.name for peer in PEERS]),
        ("workloads", [workload.name for workload in WORKLOADS]),
        ("connections", map(str, CONNECTIONS)),
    ):
        everything = ",".join(all_of_them)
        parser.add_argument(f"--{name}", default=everything, help=f"default: {everything}")
    return parser


def _split(arguments: Sequence[str]) -> list[list[str]]:
    """What stands before, between and after each `--`."""
    parts: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "--":
            parts.append([])
        else:
            parts[-1].append(argument)
    return parts


def _variant(flags: list[str]) -> Peer:
    """Ours with other flags."""
    return replace(OURS, name=" ".join((OURS.name, *flags)), flags=tuple(flags))


def _chosen(known: Iterable[T], names: str) -> list[T]:
    """In the order in which they are known. Raises `ValueError`."""
    wanted = [name for name in names.split(",") if name]
    found = [one for one in known if one.name in wanted]
    if missing := set(wanted) - {one.name for one in found}:
        raise ValueError(f"there is no {', '.join(sorted(missing))}")
    return found


def _refuse(parser: argparse.ArgumentParser, error: ValueError) -> NoReturn:
    parser.error(str(error))
