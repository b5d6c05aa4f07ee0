"""The results as pictures: SVG by hand, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from bench.report import TITLES, number
from bench.results import (
    IDLE,
    MEMORY,
    OURS,
    P50,
    P99,
    PEAK,
    PROCESSOR,
    REQUESTS,
    Cell,
    Figures,
    Metric,
    Results,
)

FILES = {
    "results.svg": REQUESTS,
    "results-p50.svg": P50,
    "results-p99.svg": P99,
    "results-processor.svg": PROCESSOR,
    "results-memory.svg": PEAK,
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 18px; font-weight: 600; }
.row { font-size: 14px; font-weight: 600; }
.muted { fill: #59636e; }
.name { text-anchor: end; }
.page { fill: #ffffff; }
.axis { stroke: #59636e; }
.ours { fill: #0969da; }
.variant { fill: #54aeff; }
.peer { fill: #afb8c1; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .muted { fill: #9198a1; }
  .page { fill: #0d1117; }
  .axis { stroke: #9198a1; }
  .ours { fill: #4493f8; }
  .variant { fill: #1f6feb; }
  .peer { fill: #656c76; }
}
"""
LETTER, PANEL, BARS, MARGIN = 7, 210, 140, 24  # widths
HEADER, ROW_TITLE, BAR, GAP = 104, 44, 17, 28  # heights

Panel = tuple[str, dict[str, float]]  # a heading, and the value of each server
Row = tuple[str, list[Panel]]


def pictures(results: Results) -> dict[str, str]:
    """By the name of the file; memory has a picture of its own kind."""
    found = {}
    for file, metric in FILES.items():
        rows = _memory(results) if metric in MEMORY else _workloads(results, metric)
        unit = "memory, MB" if metric in MEMORY else metric.title
        better = "longer" if metric.more else "shorter"
        found[file] = svg(
            f"{unit}: {better} is better", _about(results), results.names(), rows, metric.more
        )
    return found


def svg(title: str, about: str, names: list[str], rows: list[Row], one_scale: bool) -> str:
    """Rows of panels, each with a bar for each server; `one_scale` for all panels of a row."""
    height = HEADER + len(rows) * (ROW_TITLE + BAR * len(names) + GAP)
    indent = MARGIN + LETTER * max(map(len, names), default=0) + 8
    width = max(640, indent + PANEL * max((len(panels) for _, panels in rows), default=1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        text(MARGIN, 34, title, "title"),
        text(MARGIN, 56, about, "muted"),
        *_legend(names),
    ]
    top = HEADER
    for row in rows:
        parts += _row(row, names, indent, top, one_scale)
        top += ROW_TITLE + BAR * len(names) + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(names: list[str]) -> Iterator[str]:
    shown = {"ours": "indico", "variant": "indico with other flags", "peer": "other frameworks"}
    left = MARGIN
    for kind in dict.fromkeys(map(_kind, names)):
        yield f'<rect class="{kind}" x="{left}" y="70" width="12" height="12"/>'
        yield text(left + 18, 80, shown[kind], "muted")
        left += 40 + 7 * len(shown[kind])


def _row(row: Row, names: list[str], indent: int, top: int, one_scale: bool) -> Iterator[str]:
    title, panels = row
    yield text(MARGIN, top + 14, title, "row")
    for number_of_bar, name in enumerate(names):
        y = top + ROW_TITLE + BAR * number_of_bar + 12
        yield text(indent - 8, y, name, "name")
    highest = max((max(values.values(), default=0) for _, values in panels), default=0)
    for column, (heading, values) in enumerate(panels):
        scale = highest if one_scale else max(values.values(), default=0)
        yield from _panel(heading, values, names, indent + PANEL * column, top, scale or 1)


def _panel(
    heading: str, values: dict[str, float], names: list[str], left: int, top: int, scale: float
) -> Iterator[str]:
    yield text(left, top + 34, heading, "muted")
    first = top + ROW_TITLE
    for number_of_bar, name in enumerate(names):
        if name in values:
            y, length = first + BAR * number_of_bar, BARS * values[name] / scale
            bar = f'x="{left}" y="{y + 2}" width="{length:.1f}" height="{BAR - 4}"'
            yield f'<rect class="{_kind(name)}" {bar}/>'
            yield text(left + length + 5, y + 12, number(values[name]), "muted")
    bottom = first + BAR * len(names)
    yield f'<line class="axis" x1="{left}" y1="{first}" x2="{left}" y2="{bottom}"/>'


def _workloads(results: Results, metric: Metric) -> list[Row]:
    rows: dict[str, list[Panel]] = {}
    for cell in results.all_cells():
        panel = _connections(cell), _values(results.in_cell(cell), metric)
        rows.setdefault(TITLES[cell[0]].capitalize(), []).append(panel)
    return list(rows.items())


def _memory(results: Results) -> list[Row]:
    figures = results.in_memory()
    headings = {IDLE: "when idle", PEAK: "at most"}
    panels = [(headings[metric], _values(figures, metric)) for metric in MEMORY]
    return [("Memory", panels)] if figures else []


def _about(results: Results) -> str:
    names = ("rounds", "processor", "Python", "MongoDB", "date")
    known = [(name, results.facts[name]) for name in names if name in results.facts]
    return "; ".join(f"{name} {fact.split(',')[0].split('T')[0]}" for name, fact in known)


def _values(figures: dict[str, Figures], metric: Metric) -> dict[str, float]:
    return {name: figures[name][metric.name] for name in figures}


def _connections(cell: Cell) -> str:
    return f"{cell[1]} connection{'s' if cell[1] > 1 else ''}"


def _kind(name: str) -> str:
    return "ours" if name == OURS else "variant" if name.split()[0] == OURS else "peer"


def text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:g}">{escape(words)}</text>'
