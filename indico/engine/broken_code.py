"""`BrokenCode`: an error of the project's own code at the start, with its place."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .error import StartError


class BrokenCode(StartError):
    """An error that a person finds by its place, because the engine's traceback helps nobody."""


@contextmanager
def broken_code(package: str) -> Iterator[None]:
    """Raise `BrokenCode` for an error of `package`, unless its message is for a person already."""
    try:
        yield
    except StartError:
        raise
    except Exception as error:
        raise BrokenCode(" ".join(_described(error, package).split())) from error


def _described(error: Exception, package: str) -> str:
    """Return the error, after the last place in the package that is not the engine's."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {kind}: {error.msg}"
    spec = importlib.util.find_spec(package)
    (folder,) = (spec and spec.submodule_search_locations) or [""]
    frames = traceback.extract_tb(error.__traceback__)
    place = ([frame for frame in frames if _is_own(frame.filename, Path(folder))] or frames)[-1]
    return f"{place.filename}, line {place.lineno}: {kind}: {error}"


def _is_own(file: str, folder: Path) -> bool:
    parents = Path(file).parents
    return folder in parents and folder / __package__.rpartition(".")[2] not in parents
