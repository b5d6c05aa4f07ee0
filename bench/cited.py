"""The measured figures in the documentation: the measurement and the commit of each paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench import report
from bench.servers import ROOT

PAGES = (ROOT / "README.md", ROOT / "bench/README.md", *sorted((ROOT / "docs").rglob("*.md")))
BY_HAND = "by hand"
_NO_PROSE = re.compile(r"^ *```.*?^ *```$|!\[[^\]]*\]\([^)]*\)", re.M | re.S)
# A paragraph ends at an empty line, a heading, or the next item of a list.
_END = re.compile(r"\n(?=\n|#| *- | *\d+\. )")
_FIGURE = re.compile(
    r"\d[\d,.]* (?:µs|(?:ms )?of a processor)|(?:p99|percentile).{1,80}\d (?:ms|µs)", re.S
)
_CODE = re.compile(r"`[^`]*`")
_MEASUREMENT = re.compile(r"`(?:python3 run\.py )?bench (\w+)[^`]*`|\bbench/(results|overload)\b")
_COMMIT = re.compile(r"\bcommit\s+([0-9a-f]{7,40})\b")
_OF_PAGE = re.compile(r"figures\s+on\s+this\s+page\s+were\s+measured\s+on\s+(commit\s+[0-9a-f]+)")


@dataclass(frozen=True)
class Figures:
    """The figures of a paragraph: the line that it begins in, its measurement and its commit."""

    place: str
    measurement: str
    commit: str


def markdown() -> str:
    """Return a table of all places with figures."""
    rows = [[each.place, each.measurement, each.commit] for each in figures()]
    return report.table(["place", "measurement", "commit"], rows)


def figures() -> Iterator[Figures]:
    """Yield the paragraphs with measured figures in README.md, bench/README.md and docs."""
    for page in PAGES:
        yield from of_page(str(page.relative_to(ROOT)), page.read_text())


def of_page(name: str, text: str) -> Iterator[Figures]:
    """Yield the paragraphs with measured figures.

    One without a measurement of its own belongs to the last one that its section names. One without
    a commit of its own has the commit that is given for the page.
    """
    text = _NO_PROSE.sub(lambda found: "\n" * found[0].count("\n"), text)
    of_page = _OF_PAGE.search(text)
    line, measurement = 1, BY_HAND
    for paragraph in _END.split(text):
        if paragraph.startswith("#"):
            measurement = BY_HAND
        named = _MEASUREMENT.search(paragraph)
        measurement = (named[1] or named[2]) if named else measurement
        commit = _COMMIT.search(paragraph)
        counted = named and re.search(r"\d", _CODE.sub("", paragraph))
        if commit or counted or _FIGURE.search(paragraph):
            commit = commit or (_COMMIT.search(of_page[1]) if of_page else None)
            at = line + len(paragraph) - len(paragraph.lstrip("\n"))
            known = "peers" if measurement == "results" else measurement
            yield Figures(f"{name}:{at}", known, commit[1] if commit else "")
        line += paragraph.count("\n") + 1
