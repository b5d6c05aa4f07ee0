#!/usr/bin/env python3
"""Every task of this repository, on the standard library alone: `python3 run.py`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
REQUIREMENTS = ROOT / "req.txt"
INSTALLED = VENV / "installed.txt"


def serve(flags: list[str]) -> int:
    """start the server; flags are the server's own (--help shows them)"""
    return replace("-m", "indico.server", *flags)


def test(names: list[str]) -> int:
    """run all tests, or those of the files, modules or classes named"""
    return run("-m", "nose", *(["--cover-min-percentage=0", *names] if names else []))


def lint(paths: list[str]) -> int:
    """ruff: style and formatting"""
    paths = paths or ["."]
    return run("-m", "ruff", "check", *paths) or run("-m", "ruff", "format", "--check", *paths)


def typecheck(_: list[str]) -> int:
    """mypy --strict on the package"""
    return run("-m", "mypy", "--strict", "indico", "run.py")


def check(_: list[str]) -> int:
    """lint, typecheck and test"""
    return lint([]) or typecheck([]) or test([])


def install() -> None:
    """Makes `.venv` from `req.txt`, unless that was done already."""
    wanted = hashlib.sha256(sys.version.encode() + REQUIREMENTS.read_bytes()).hexdigest()
    if INSTALLED.is_file() and INSTALLED.read_text() == wanted:
        return
    print(f"Installing {REQUIREMENTS.name} into {VENV.name}, once: this takes a minute ...")
    sys.stdout.flush()
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        sys.exit("run.py: this Python can't make a virtual environment; apt install python3-venv?")
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if run(*pip, "-r", str(REQUIREMENTS)):
        sys.exit("run.py: pip could not install req.txt; what it says is above.")
    INSTALLED.write_text(wanted)


def run(*arguments: str) -> int:
    """The exit code of Python in `.venv` with these arguments."""
    return subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=False).returncode


def replace(*arguments: str) -> int:
    """Becomes that Python, so that signals reach it; waits for it on Windows, which can't."""
    if os.name == "nt":
        return run(*arguments)
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), *arguments])  # noqa: S606


TASKS = {task.__name__: task for task in (serve, test, lint, typecheck, check)}


def main(arguments: list[str]) -> int:
    task = TASKS.get(arguments[0]) if arguments else None
    if task is None:
        print("usage: python3 run.py TASK [arguments]\n")
        for name, known in TASKS.items():
            print(f"  {name:10} {known.__doc__}")
        return 0 if arguments in ([], ["-h"], ["--help"]) else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - it is this line that says so
        sys.exit("run.py: indico needs Python 3.11 or newer.")
    try:
        install()
        return task(arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
