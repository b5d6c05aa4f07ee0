"""Checks of the Python that runs the server, and of the packages installed for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from .finding import Finding, fault, ok, warning

OLDEST = (3, 11)
REQUIREMENTS = Path(__file__).resolve().parents[3] / "req.txt"
INSTALL = "python3 run.py serve, or pip install -r req.txt"
# A paragraph of req.txt that a server can do without. setup.py does not install it either.
_OPTIONAL = "# What the setting"


def python(version: tuple[Any, ...] = tuple(sys.version_info)) -> Iterator[Finding]:
    number = ".".join(map(str, version[:3]))
    if version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield fault(f"Python {number} is too old.", f"Install Python {oldest} or newer.")
    else:
        yield ok(f"Python {number}, {sys.executable}.")


def virtual_environment() -> Iterator[Finding]:
    if sys.prefix == sys.base_prefix:
        yield warning(
            "This is the system's Python: other programs share its packages.",
            "python3 run.py serve, which makes .venv; or python3 -m venv.",
        )
    else:
        yield ok(f"{sys.prefix}.")


def packages(file: Path = REQUIREMENTS) -> Iterator[Finding]:
    """Compare the installed packages with `file`; an optional package is at most a warning."""
    if not file.is_file():
        yield ok("There is no req.txt, because pip installed the package: not compared.")
        return
    try:
        from packaging.requirements import Requirement  # noqa: F401
    except ImportError:
        yield fault("packaging is not installed, so req.txt can't be compared.", INSTALL)
        return
    paragraphs = file.read_text(encoding="utf-8").split("\n\n")
    wrong = _differences("\n".join(p for p in paragraphs if not p.startswith(_OPTIONAL)))
    idle = _differences("\n".join(p for p in paragraphs if p.startswith(_OPTIONAL)))
    if wrong:
        yield fault(f"Not as req.txt says: {', '.join(wrong)}.", INSTALL)
    if idle:
        yield warning(f"Not needed by every server: {', '.join(idle)}.", INSTALL)
    if not wrong and not idle:
        yield ok("As req.txt says.")


def _differences(text: str) -> list[str]:
    """Return what is installed instead, for each requirement in `text` that does not hold."""
    from packaging.requirements import Requirement

    differences = []
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        required = Requirement(line)
        if required.marker is not None and not required.marker.evaluate():
            continue
        try:
            installed = metadata.version(required.name)
        except metadata.PackageNotFoundError:
            differences.append(f"{required.name} is missing")
            continue
        if not required.specifier.contains(installed, prereleases=True):
            differences.append(f"{required.name} is {installed}, not {required.specifier}")
    return differences
