"""The flags of `bench peers`: rounds, servers, workloads, connections."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bench.data import WORKLOADS, Workload
from bench.results import Cell
from bench.servers import OURS, PEERS, Peer

CONNECTIONS = (1, 8, 32, 256)
T = TypeVar("T", Workload, Peer)


@dataclass(frozen=True)
class Options:
    """The parsed flags. `servers` begins with ours; `complete` is a run without any flag."""

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
    """Parse the flags. Raise `SystemExit`, as argparse does, for `--help` and unknown flags."""
    own, *variants = _split(arguments)
    given = _parser().parse_args(own)
    return Options(
        rounds=given.rounds,
        seconds=given.seconds,
        servers=(OURS, *map(_variant, variants), *given.peers),
        workloads=given.workloads,
        connections=given.connections,
        command=" ".join(("python3 run.py bench peers", *arguments)),
        complete=not arguments,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 run.py bench peers",
        description="Measure indico beside other frameworks. A whole run takes about 20 minutes.",
        epilog="Flags of indico's server after -- measure indico once more with these flags. "
        "Further -- work the same way. With any option the results go to .bench, not to bench.",
    )
    parser.add_argument("--rounds", type=_number, default=3, help="default: 3")
    parser.add_argument("--seconds", type=_number, default=2, help="for each cell; default: 2")
    for name, kind, known in (
        ("peers", partial(_chosen, PEERS), [peer.name for peer in PEERS]),
        ("workloads", partial(_chosen, WORKLOADS), [workload.name for workload in WORKLOADS]),
        ("connections", _numbers, map(str, CONNECTIONS)),
    ):
        default = ",".join(known)
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"default: {default}")
    return parser


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
