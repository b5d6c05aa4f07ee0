"""What is to be measured: the flags of `bench peers`."""

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
        description="Measures indico beside other frameworks: about 20 minutes with everything.",
        epilog="After --, flags of indico's server measure it once more, with them; after another "
        "--, once more. With any option the results go to .bench, and not to bench.",
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


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(_number, text.split(",")))


def _chosen(known: Iterable[T], text: str) -> tuple[T, ...]:
    """Those whose names stand in `text`, in the order in which they are known."""
    wanted = text.split(",")
    found = tuple(one for one in known if one.name in wanted)
    if missing := [name for name in wanted if name not in [one.name for one in found]]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(missing)}")
    return found
