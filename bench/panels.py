"""A Grafana dashboard drawn as SVG, without Grafana: readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from bench.chart import STYLE as CHART_STYLE

Series = dict[str, list[float | None]]  # by its name in the legend: a value for each scrape

COLUMN, ROW, HEADER, MARGIN = 48, 30, 76, 8  # pixels of a cell of Grafana's grid of 24
COLORS = ("#0969da", "#bf8700", "#1a7f37", "#cf222e", "#8250df", "#bc4c00", "#1b7c83", "#bf3989")
MOST_SERIES = len(COLORS)
STYLE = (
    CHART_STYLE
    + ".panel { fill: none; stroke: #afb8c1; }\n.small { font-size: 10px; }\n"
    + "polyline { fill: none; stroke-width: 1.3; }\n"
    + "".join(f".s{n} {{ stroke: {color}; }}\n" for n, color in enumerate(COLORS))
)


def svg(dashboard: dict[str, Any], about: str, drawn: dict[int, Series], seconds: float) -> str:
    """`drawn` has the series of each panel, by its id; they span `seconds`."""
    grids = [panel["gridPos"] for panel in dashboard["panels"]]
    width = 24 * COLUMN + 2 * MARGIN
    height = HEADER + ROW * max(grid["y"] + grid["h"] for grid in grids) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(dashboard["title"])}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        _text(2 * MARGIN, 32, dashboard["title"], "title"),
        _text(2 * MARGIN, 56, about, "muted"),
    ]
    for panel in dashboard["panels"]:
        parts += _panel(panel, drawn[panel["id"]], seconds)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: dict[str, Any], series: Series, seconds: float) -> Iterator[str]:
    grid, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    left, top = MARGIN + grid["x"] * COLUMN + 4, HEADER + grid["y"] * ROW + 4
    width, height = grid["w"] * COLUMN - 8, grid["h"] * ROW - 8
    yield f'<rect class="panel" x="{left}" y="{top}" width="{width}" height="{height}" rx="4"/>'
    yield _text(left + 10, top + 20, panel["title"], "row")
    shown = _largest(series)
    highest = max((value for line in shown.values() for value in line if value), default=0) or 1
    x, y, w, h = left + 52, top + 34, width - 64, height - 98
    for share in (0, 0.5, 1):
        at = y + h - h * share
        yield f'<line class="panel" x1="{x}" y1="{at:.0f}" x2="{x + w}" y2="{at:.0f}"/>'
        yield _text(x - 5, at + 4, number(highest * share, unit), "name muted small")
    yield _text(x, y + h + 14, "0 s", "muted small")
    yield _text(x + w, y + h + 14, f"{seconds:.0f} s", "name muted small")
    for index, line in enumerate(shown.values()):
        for run in _runs(line):
            points = " ".join(
                f"{x + w * n / max(1, len(line) - 1):.0f},{y + h - h * value / highest:.1f}"
                for n, value in run
            )
            yield f'<polyline class="s{index}" points="{points}"/>'
    yield from _legend(list(shown), left + 12, y + h + 30, width - 20)


def _legend(names: list[str], left: float, top: float, width: float) -> Iterator[str]:
    x, y = left, top
    for index, name in enumerate(names):
        if x > left and x + 22 + 5.6 * len(name) > left + width:
            x, y = left, y + 14
        yield f'<line class="s{index}" x1="{x:.0f}" y1="{y - 3}" x2="{x + 12:.0f}" y2="{y - 3}"/>'
        yield _text(x + 16, y, name, "small")
        x += 30 + 5.6 * len(name)


def _largest(series: Series) -> Series:
    """Those with the highest peaks, in the order of their names."""

    def peak(name: str) -> float:
        return max((value for value in series[name] if value is not None), default=0)

    return {name: series[name] for name in sorted(sorted(series, key=peak)[-MOST_SERIES:])}


def _runs(line: list[float | None]) -> Iterator[list[tuple[int, float]]]:
    """The parts of a line between which it has no value."""
    run: list[tuple[int, float]] = []
    for n, value in enumerate([*line, None]):
        if value is not None:
            run.append((n, value))
        elif run:
            yield run
            run = []


def number(value: float, unit: str) -> str:
    """As Grafana writes it, about."""
    if not value:
        return "0"
    if unit == "percentunit":
        return f"{value:.0%}" if value >= 0.1 else f"{value:.1%}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'
