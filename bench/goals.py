"""The goals, and how far they are reached."""

from __future__ import annotations

from dataclasses import dataclass

from bench.results import OURS, P99, REQUESTS, Cell, Results, ratio

# Our requests/s, divided by those of the best peer, or of the peer in `COMPARED_TO`.
GOALS: dict[Cell, float] = {
    **{("read", 1): 1.0, ("read", 32): 3.0, ("read", 256): 4.0},
    **{("insert", 1): 1.0, ("insert", 32): 3.0, ("insert", 256): 5.0},
    **{("update", 1): 1.0, ("update", 32): 2.5, ("update", 256): 4.0},
    **{("echo", 1): 1.3, ("echo", 32): 1.3, ("echo", 256): 1.3},
}
COMPARED_TO = {"echo": "fastapi"}
P99_CONNECTIONS = (32, 256)


@dataclass(frozen=True)
class Goal:
    """Our requests/s, divided by those of `peer`: the goal, and the measured value."""

    workload: str
    connections: int
    goal: float
    reached: float
    peer: str

    @property
    def met(self) -> bool:
        return self.reached >= self.goal


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
    for cell, goal in GOALS.items():
        measured = results.in_cell(cell)
        known = [name for name in results.peers() if name in measured]
        peers = [name for name in known if name == COMPARED_TO.get(cell[0], name)]
        best = max(peers, key=lambda name: measured[name][REQUESTS.name], default=OURS)
        reached = ratio(REQUESTS, measured, best) if peers else None
        if reached:
            found.append(Goal(*cell, goal, reached, best))
    return found


def tails(results: Results) -> list[Tail]:
    """Return the goals of p99: from 32 connections on, no worse than the best peer's."""
    found = []
    for cell in GOALS:
        measured = results.in_cell(cell)
        peers = [name for name in results.peers() if name in measured]
        if cell[1] in P99_CONNECTIONS and peers and OURS in measured:
            p99 = {name: measured[name][P99.name] for name in measured}
            best = max(peers, key=lambda name: measured[name][REQUESTS.name])
            lowest = min(peers, key=lambda name: p99[name])
            found.append(Tail(*cell, p99[OURS], p99[best], best, p99[lowest], lowest))
    return found
