"""Programs that tests run; .ci/run and req-check.txt bring them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from indico.tests.server_process import ROOT

DEPLOY = ROOT / "deploy"
T = TypeVar("T", bound=Callable[..., Any])


def program(name: str) -> str | None:
    """Return the path of a program, in the folders of root too, where Debian has some."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    return shutil.which(name, path=path)


def needs(found: object, what: str) -> Callable[[T], T]:
    """Skip a test or a class without the program, except in .ci/run."""
    return unittest.skipUnless(found or "NO_SKIPS" in os.environ, f"this needs {what}")


def read_by(*command: str | Path | None) -> subprocess.CompletedProcess[str]:
    """Return the output of a program that reads a file."""
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
