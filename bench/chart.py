"""`bench draw`: the pictures, drawn by pygal from `results.json` and `overload.json`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.overload_report import BOUND, NO_BOUND
from bench.report import TITLES
from bench.results import OURS, P99, REQUESTS, Metric

HERE = Path(__file__).parent
OURS_COLORS = ("#0969da", "#54aeff", "#0a3069")  # the defaults first, then other flags
PEER_COLORS = ("#57606a", "#afb8c1", "#bc4c00", "#d4a72c", "#8250df", "#1a7f37", "#bf3989")
LINE_COLORS = ("#0969da", "#afb8c1", "#0a3069", "#57606a")  # bounded and unbounded, in turns
TENS = (1, 10, 100, 1000)

Bars = dict[str, list[float | None]]  # by the name of the server, in the order of the cells
Points = list[tuple[float, float]]


def main(arguments: list[str]) -> int:
    """Draw the pictures again, from the results in this folder."""
    argparse.ArgumentParser(prog="python3 run.py bench draw", description=main.__doc__).parse_args(
        arguments
    )
    print(*draw(HERE))
    return 0


def draw(folder: Path) -> list[Path]:
    """Draw a picture of each result in `folder`, and return the files of the pictures."""
    made: dict[str, Any] = {}
    if (results := folder / "results.json").is_file():
        servers = json.loads(results.read_text())["servers"]
        made["results.svg"] = _bar_chart(servers, REQUESTS)
        made["results-p99.svg"] = _bar_chart(servers, P99)
    if (overload := folder / "overload.json").is_file():
        steps = json.loads(overload.read_text())["steps"]
        made["overload.svg"] = _throughput_chart(steps)
        made["overload-p99.svg"] = _latency_chart(steps)
    for name, chart in made.items():
        chart.uuid = Path(name).stem  # pygal's is random, which would change the file each time
        (folder / name).write_bytes(chart.render() + b"\n")
    return [folder / name for name in made]


def bars(servers: dict[str, Any], metric: Metric) -> tuple[list[str], Bars]:
    """Return a label for each cell, and for each server its median in each cell.

    The cells are those with a database: an echo is ten times as fast, and would set the scale.
    """
    cells = dict.fromkeys(
        (cell["workload"], cell["connections"])
        for server in servers.values()
        for cell in server["cells"]
        if cell["workload"] != "echo"
    )
    values: Bars = {}
    for name, server in servers.items():
        medians = {
            (cell["workload"], cell["connections"]): cell["medians"][metric.name]
            for cell in server["cells"]
        }
        values[name] = [medians.get(cell) for cell in cells]
    return [f"{workload}, {connections}" for workload, connections in cells], values


def points(
    steps: dict[str, Any], value: Callable[[dict[str, Any], float], float | None]
) -> dict[str, Points]:
    """Return the points of each line; the horizontal axis is the load in multiples of the capacity.

    `value` gets a step and the capacity. A step without a value has no point.
    """
    lines: dict[str, Points] = {}
    for workload, servers in steps.items():
        capacity = max(step["accepted"] for step in servers[BOUND])
        for server in (BOUND, NO_BOUND):
            found = [(step["offered"], value(step, capacity)) for step in servers[server]]
            name = f"{TITLES[workload]}, {server}"
            lines[name] = [(x / capacity, y) for x, y in found if y is not None]
    return lines


def _bar_chart(servers: dict[str, Any], metric: Metric) -> Any:
    import pygal  # only the environment of bench has pygal; the tests run without it

    labels, values = bars(servers, metric)
    better = "more" if metric.more else "less"
    chart = pygal.Bar(
        **_options(_colors(values)),
        title=f"{metric.title} ({better} is better), by workload and connections",
        logarithmic=not metric.more,
        legend_at_bottom_columns=4,
    )
    chart.x_labels = labels
    if not metric.more:
        chart.y_labels = TENS
        chart.zero = 1  # the foot of the bars; otherwise the lowest bar has no height
    for name, heights in values.items():
        chart.add(name, heights)
    return chart


def _throughput_chart(steps: dict[str, Any]) -> Any:
    return _line_chart(
        "answers, times capacity, by offered load",
        points(steps, lambda step, capacity: step["accepted"] / capacity),
    )


def _latency_chart(steps: dict[str, Any]) -> Any:
    return _line_chart(
        "99th percentile of accepted requests in ms, by offered load",
        points(
            steps,
            lambda step, _: step["accepted_p99"] and step["accepted_p99"] * 1000,
        ),
        logarithmic=True,
        y_labels=TENS,
    )


def _line_chart(title: str, lines: dict[str, Points], **options: Any) -> Any:
    import pygal

    chart = pygal.XY(
        **_options(list(LINE_COLORS)),
        title=title,
        x_title="offered load, times capacity",
        legend_at_bottom_columns=2,
        **options,
    )
    for name, where in lines.items():
        chart.add(name, where)
    return chart


def _options(colors: list[str]) -> dict[str, Any]:
    from pygal.style import Style

    style = Style(
        background="#ffffff",
        plot_background="#ffffff",
        foreground="#1f2328",
        foreground_strong="#1f2328",
        foreground_subtle="#59636e",
        guide_stroke_color="#d1d9e0",
        major_guide_stroke_color="#d1d9e0",
        opacity="1",
        colors=tuple(colors),
        font_family="system-ui, sans-serif",
    )
    return {
        "style": style,
        "width": 1000,
        "height": 480,
        "legend_at_bottom": True,
        "truncate_legend": -1,
        "js": [],  # otherwise the picture loads a script from another host
    }


def _colors(names: Bars) -> list[str]:
    ours, peers = iter(OURS_COLORS * 9), iter(PEER_COLORS * 9)
    return [next(ours if name.split()[0] == OURS else peers) for name in names]
