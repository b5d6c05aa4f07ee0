"""The goals, and how far they are reached."""

from __future__ import annotations

from dataclasses import dataclass

from bench.mongodb import PLAIN
from bench.options import CONNECTIONS
from bench.results import (
    FULL_PERCENT,
    OTHER_CORE,
    OURS,
    P99,
    PROCESSOR,
    REQUESTS,
    Measurement,
    Results,
    ratio,
)

BEST = "best peer"
# Our requests/s, divided by those of the best peer or of the named one, at each of `CONNECTIONS`.
GOALS: dict[tuple[str, str], tuple[float, ...]] = {
    ("read", BEST): (1.2, 1.8, 3.5, 5.0),
    ("insert", BEST): (1.1, 1.5, 3.0, 5.0),
    ("update", BEST): (1.1, 1.5, 2.5, 4.0),
    ("echo", "fastapi"): (1.5, 1.7, 1.7, 1.7),
    ("echo", "starlette"): (0.8, 0.75, 0.75, 0.8),
}
# With TLS to MongoDB, or more members: no cell with a database is behind the best peer.
GOAL_ELSEWHERE = 1.0
P99_CONNECTIONS = (32, 256)


@dataclass(frozen=True)
class Goal:
    """Our requests/s, divided by those of `peer`: the goal, and the measured value.

    `processor` is the peer's processor time of a request, divided by ours. `other_core` is the
    part of their core that wrk and MongoDB used, in percent, with indico and with the peer.
    """

    workload: str
    connections: int
    goal: float
    reached: float
    processor: float
    other_core: tuple[float, float]
    peer: str

    @property
    def full(self) -> bool:
        """Whether wrk or MongoDB was the bottleneck, so that processor time decides."""
        return max(self.other_core) >= FULL_PERCENT

    @property
    def met(self) -> bool:
        return (self.processor if self.full else self.reached) >= self.goal


@dataclass(frozen=True)
class Tail:
    """Our p99 in milliseconds, the p99 of the peer with the most requests/s, and the lowest p99."""

    workload: str
    connections: int
    ours: float
    best: float
    best_peer: str
    lowest: float
    lowest_peer: str

    @property
    def met(self) -> bool:
        return self.ours <= self.best


def goals(results: Results) -> list[Goal]:
    """Return the goals whose cells were measured."""
    found = []
    for (workload, name), row in GOALS.items():
        for connections, goal in zip(CONNECTIONS, row, strict=True):
            measured = results.in_cell((workload, connections))
            peer = _best(results, measured) if name == BEST else name
            if peer is None or peer not in measured or OURS not in measured:
                continue
            if results.mongodb != PLAIN and name == BEST:
                goal = GOAL_ELSEWHERE
            reached, processor = (ratio(m, measured, peer) or 0.0 for m in (REQUESTS, PROCESSOR))
            cores = measured[OURS][OTHER_CORE], measured[peer][OTHER_CORE]
            found.append(Goal(workload, connections, goal, reached, processor, cores, peer))
    return found


def tails(results: Results) -> list[Tail]:
    """Return the goals of p99: from 32 connections on, no worse than the best peer's."""
    found = []
    for workload in dict.fromkeys(workload for workload, _ in GOALS):
        for connections in P99_CONNECTIONS:
            measured = results.in_cell((workload, connections))
            best = _best(results, measured)
            if best is None or OURS not in measured:
                continue
            p99 = {name: measured[name][P99.name] for name in measured}
            lowest = min(_peers(results, measured), key=lambda name: p99[name])
            tail = p99[OURS], p99[best], best, p99[lowest], lowest
            found.append(Tail(workload, connections, *tail))
    return found


def _best(results: Results, measured: dict[str, Measurement]) -> str | None:
    """Return the peer with the most requests/s; None if there is none."""
    peers = _peers(results, measured)
    return max(peers, key=lambda name: measured[name][REQUESTS.name], default=None)


def _peers(results: Results, measured: dict[str, Measurement]) -> list[str]:
    return [name for name in results.peers() if name in measured]
