"""The end of a command whose Python lacks a package. This module needs none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def required() -> Iterator[None]:
    """End the process with a sentence for a person if an import in the block lacks a package."""
    try:
        yield
    except ModuleNotFoundError as error:
        own, package = (name.partition(".")[0] for name in (__name__, str(error.name)))
        if package == own:
            raise
        sys.exit(
            f"{own}: {sys.executable} lacks the package {package}: start this command by "
            "python3 run.py, which makes .venv, or pip install -r req.txt."
        )
