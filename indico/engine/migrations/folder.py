"""The package of migrations: one numbered module for each."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

from pymongo.asynchronous.database import AsyncDatabase

from ..broken_code import broken_code
from ..error import StartError

Database = AsyncDatabase[dict[str, Any]]
Work = Callable[[Database], Awaitable[object]]

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.py")
_EXAMPLE = "0001_what_it_does.py"


class Migration(NamedTuple):
    """A file `0001_what_it_does.py`; its `name` is without the ending."""

    number: int
    name: str
    checksum: str


class Functions(NamedTuple):
    """The functions of a migration; `down` is None if there is no way back."""

    up: Work
    down: Work | None


def find_migrations(package: str) -> list[Migration]:
    """Return the migrations in order; none without a `package`.

    Raises `StartError` for a gap, two files with one number, and a file with a wrong name. The
    first number need not be 1, because old migrations may be deleted.
    """
    files = sorted(_folder(package).glob("[!_]*.py")) if package else []
    if wrong := [file.name for file in files if not _FILE.fullmatch(file.name)]:
        raise StartError(
            f"{', '.join(wrong)} in {package} is named unlike a migration, such as {_EXAMPLE}. "
            "Rename the file; one that begins with _ is no migration."
        )
    found = [Migration(int(file.name[:4]), file.stem, _checksum(file)) for file in files]
    for one, following in pairwise(found):
        if following.number == one.number:
            raise StartError(
                f"Two migrations in {package} have the number {one.number:04}: {one.name} and "
                f"{following.name}. Give the newer one the next free number."
            )
        if following.number > one.number + 1:
            raise StartError(
                f"There is no migration {one.number + 1:04} in {package}, between {one.name} and "
                f"{following.name}. Add the file that is missing, or rename those after the gap."
            )
    return found


def load_functions(package: str, migration: Migration) -> Functions:
    """Import a migration.

    Raises `BrokenCode` if its code is, and `StartError` without `async def up(db)`.
    """
    with broken_code(package):
        module = importlib.import_module(f"{package}.{migration.name}")
    up, down = getattr(module, "up", None), getattr(module, "down", None)
    for name, function in (("up", up), ("down", down)):
        if not inspect.iscoroutinefunction(function) and (function or name == "up"):
            raise StartError(f"{migration.name} needs `async def {name}(db)`.")
    return Functions(cast(Work, up), down)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(f"There is no package {package}, which the program names for migrations.")
    return Path(spec.submodule_search_locations[0])


def _checksum(file: Path) -> str:
    """Return the SHA-256 of a file, which is the same with the line ends of each system."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
