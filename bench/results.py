"""The results: every round, the medians over the rounds, and the ratios to indico."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.load import Load, Used
from bench.mongodb import PLAIN, Deployment

OURS = "indico"
# The part of the server's core that other processes used, in percent; it should be close to 0.
DISTURBED = "others_percent"
# The part of the other core that wrk and MongoDB used, in percent of what was not withheld.
OTHER_CORE = "other_core_percent"
FULL_PERCENT = 95.0

Cell = tuple[str, int]  # the name of the workload, and the number of connections
Measurement = dict[str, float]  # values by the name of their metric


@dataclass(frozen=True)
class Metric:
    """A measured property of a server; `more` says whether a higher value is better."""

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
    """All values of a run, by the name of the server.

    `facts` describe the run. `left_out` and `invalid` give the reasons for missing values. `cells`
    has the values of each round, `memory` the values of the whole run, and `versions` the order.
    `mongodb` is the MongoDB of all servers.
    """

    facts: dict[str, str]
    versions: dict[str, str]
    cells: dict[str, dict[Cell, list[Measurement]]] = field(default_factory=dict)
    memory: dict[str, Measurement] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    mongodb: Deployment = PLAIN

    def add(self, name: str, cell: Cell, load: Load, used: Used) -> None:
        """Add a measurement, or its errors, because a cell with errors doesn't count."""
        if load.errors or not load.requests:
            why = load.errors or "no request was answered"
            self.invalid.append(f"{name}, {cell[0]}, {cell[1]} connections: {why}")
            return
        measured = {
            REQUESTS.name: load.requests / load.seconds,
            P50.name: load.p50_milliseconds,
            P99.name: load.p99_milliseconds,
            PROCESSOR.name: used.server / load.requests * 1e6,
            "mongodb_processor_microseconds": used.mongodb / load.requests * 1e6,
            DISTURBED: max(0, used.core - used.server) / load.seconds * 100,
            OTHER_CORE: (used.wrk + used.mongodb) / (load.seconds - used.withheld) * 100,
        }
        self.cells.setdefault(name, {}).setdefault(cell, []).append(measured)

    def names(self) -> list[str]:
        return [name for name in self.versions if name in self.cells]

    def peers(self) -> list[str]:
        """Return the names of all servers except indico, with any flags."""
        return [name for name in self.names() if name.split()[0] != OURS]

    def all_cells(self) -> list[Cell]:
        """Return the cells in the order of their measurement."""
        return list(dict.fromkeys(cell for name in self.names() for cell in self.cells[name]))

    def in_cell(self, cell: Cell) -> dict[str, Measurement]:
        """Return the medians of each server in this cell."""
        rounds = {name: self.cells[name].get(cell, []) for name in self.names()}
        return {name: medians(measured) for name, measured in rounds.items() if measured}

    def in_memory(self) -> dict[str, Measurement]:
        return {name: self.memory[name] for name in self.names()}

    def disturbed(self) -> list[float]:
        """Return, for each measurement, the percentage of the core that other processes used."""
        servers = self.cells.values()
        cells = [cell for server in servers for rounds in server.values() for cell in rounds]
        return [measured[DISTURBED] for measured in cells]

    def as_json(self) -> dict[str, Any]:
        """Return all results, with each round."""
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
        measured = self.in_cell(cell)
        return {
            "workload": cell[0],
            "connections": cell[1],
            "medians": measured[name],
            "ratios": ratios(METRICS, measured, name),
            "rounds": self.cells[name][cell],
        }


def medians(rounds: list[Measurement]) -> Measurement:
    return {name: median(measured[name] for measured in rounds) for name in rounds[0]}


def rounded(value: Any) -> Any:
    """Round each number to five significant digits, because people read the file."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def ratio(metric: Metric, measured: dict[str, Measurement], name: str) -> float | None:
    """Return how many times better indico is than `name`; None if a value is 0."""
    if OURS not in measured:
        return None
    ours, theirs = measured[OURS][metric.name], measured[name][metric.name]
    if not ours or not theirs:
        return None
    return ours / theirs if metric.more else theirs / ours


def ratios(
    metrics: tuple[Metric, ...], measured: dict[str, Measurement], name: str
) -> dict[str, float | None]:
    return {metric.name: ratio(metric, measured, name) for metric in metrics}
