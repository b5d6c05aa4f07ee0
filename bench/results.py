"""What was measured: every round, the medians over them, and the ratios to ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.load import Load, Used

OURS = "indico"
# How much of the server's core others used, in percent: it should be next to nothing.
DISTURBED = "others_percent"

Cell = tuple[str, int]  # the name of the workload, and the number of connections
Figures = dict[str, float]  # by the name of the metric


@dataclass(frozen=True)
class Metric:
    """A figure of a server; `more` says whether more of it is better."""

    name: str
    title: str
    more: bool = False


REQUESTS = Metric("requests_per_second", "requests/s", more=True)
P50 = Metric("p50_milliseconds", "p50 ms")
P99 = Metric("p99_milliseconds", "p99 ms")
PROCESSOR = Metric("processor_microseconds", "processor µs/request")
IDLE = Metric("idle_megabytes", "memory when idle, MB")
PEAK = Metric("peak_megabytes", "memory at most, MB")
METRICS = (REQUESTS, P50, P99, PROCESSOR)
MEMORY = (IDLE, PEAK)


@dataclass
class Results:
    """`facts` say where and how; `left_out` and `invalid` what is not in the figures, and why.

    `cells` has the figures of each round, by the name of the server, `memory` those of the whole
    run; `versions` has the servers in their order.
    """

    facts: dict[str, str]
    versions: dict[str, str]
    cells: dict[str, dict[Cell, list[Figures]]] = field(default_factory=dict)
    memory: dict[str, Figures] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)

    def add(self, name: str, cell: Cell, load: Load, used: Used) -> None:
        """One measurement; one with errors doesn't count."""
        if load.errors or not load.requests:
            why = load.errors or "no request was answered"
            self.invalid.append(f"{name}, {cell[0]}, {cell[1]} connections: {why}")
            return
        figures = {
            REQUESTS.name: load.requests / load.seconds,
            P50.name: load.p50_milliseconds,
            P99.name: load.p99_milliseconds,
            PROCESSOR.name: used.server / load.requests * 1e6,
            "mongodb_processor_microseconds": used.mongodb / load.requests * 1e6,
            DISTURBED: max(0, used.core - used.server) / load.seconds * 100,
        }
        self.cells.setdefault(name, {}).setdefault(cell, []).append(figures)

    def names(self) -> list[str]:
        return [name for name in self.versions if name in self.cells]

    def peers(self) -> list[str]:
        """Those that aren't ours, with whatever flags."""
        return [name for name in self.names() if name.split()[0] != OURS]

    def all_cells(self) -> list[Cell]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(cell for name in self.names() for cell in self.cells[name]))

    def in_cell(self, cell: Cell) -> dict[str, Figures]:
        """The medians of each server that was measured in it."""
        rounds = {name: self.cells[name].get(cell, []) for name in self.names()}
        return {name: medians(figures) for name, figures in rounds.items() if figures}

    def in_memory(self) -> dict[str, Figures]:
        return {name: self.memory[name] for name in self.names()}

    def disturbed(self) -> list[float]:
        """How much others used of the server's core in each measurement, in percent."""
        servers = self.cells.values()
        cells = [cell for server in servers for rounds in server.values() for cell in rounds]
        return [figures[DISTURBED] for figures in cells]

    def as_json(self) -> dict[str, Any]:
        """All of it, with each round by itself."""
        memory = self.in_memory()
        servers = {
            name: {
                "versions": self.versions[name],
                "memory": {"medians": memory[name], "ratios": ratios(MEMORY, memory, name)},
                "cells": [self._cell_as_json(name, cell) for cell in self.cells[name]],
            }
            for name in self.names()
        }
        return {
            "facts": self.facts,
            "servers": rounded(servers),
            "left_out": self.left_out,
            "invalid": self.invalid,
        }

    def _cell_as_json(self, name: str, cell: Cell) -> dict[str, Any]:
        figures = self.in_cell(cell)
        return {
            "workload": cell[0],
            "connections": cell[1],
            "medians": figures[name],
            "ratios": ratios(METRICS, figures, name),
            "rounds": self.cells[name][cell],
        }


def medians(rounds: list[Figures]) -> Figures:
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def rounded(value: Any) -> Any:
    """With the digits that say something, for a file that people look into."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def ratio(metric: Metric, figures: dict[str, Figures], name: str) -> float | None:
    """How many times better ours is than `name`: below 1, `name` is. None if one of them is 0."""
    if OURS not in figures:
        return None
    ours, theirs = figures[OURS][metric.name], figures[name][metric.name]
    if not ours or not theirs:
        return None
    return ours / theirs if metric.more else theirs / ours


def ratios(
    metrics: tuple[Metric, ...], figures: dict[str, Figures], name: str
) -> dict[str, float | None]:
    return {metric.name: ratio(metric, figures, name) for metric in metrics}
