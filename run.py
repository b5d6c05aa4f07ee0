#!/usr/bin/env python3
"""Every task of this repository, on the standard library alone: `python3 run.py`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the packages that `files` list."""

    folder: Path
    files: tuple[str, ...]
    checks: bool = True

    @property
    def python(self) -> str:
        return str(self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    @property
    def requirements(self) -> str:
        """Return the requirements, with those of the checks if `checks` is true."""
        texts = [(ROOT / file).read_text() for file in self.files]
        return "\n".join(t if self.checks else t.split("# What its checks")[0] for t in texts)


VENV = Environment(ROOT / ".venv", ("req.txt",))
BENCH = Environment(ROOT / ".bench/venv", ("req.txt", "bench/requirements.txt"), checks=False)


def serve(flags: list[str]) -> int:
    """start the server; flags are the server's own (--help shows them)"""
    return replace("-m", "indico.server", *flags)


def doctor(flags: list[str]) -> int:
    """report what would go wrong with a server that has these flags"""
    python = VENV.python if Path(VENV.python).exists() else sys.executable
    return subprocess.run([python, "-m", "indico.doctor", *flags], cwd=ROOT, check=False).returncode


def test(arguments: list[str]) -> int:
    """run all tests, a --suite of them, or those that are named (--help shows more)"""
    return run("-m", "indico.engine.tests.runner", *arguments)


def lint(paths: list[str]) -> int:
    """ruff: style and formatting"""
    paths = paths or ["."]
    return run("-m", "ruff", "check", *paths) or run("-m", "ruff", "format", "--check", *paths)


def typecheck(_: list[str]) -> int:
    """mypy --strict on the package, and on bench without its peers"""
    return run("-m", "mypy", "--strict", "indico", "bench", "run.py")


def check(_: list[str]) -> int:
    """lint, typecheck and test"""
    return lint([]) or typecheck([]) or test([])


def bench(arguments: list[str]) -> int:
    """measure how fast it is, beside other frameworks (--help shows the options)"""
    install(BENCH)
    return replace("-m", "bench", *arguments, environment=BENCH)


def install(environment: Environment) -> None:
    """Make the environment, unless it is up to date."""
    folder, requirements = environment.folder, environment.requirements
    wanted = hashlib.sha256(sys.version.encode() + requirements.encode()).hexdigest()
    installed = folder / "installed.txt"
    if installed.is_file() and installed.read_text() == wanted:
        return
    files, where = " and ".join(environment.files), folder.relative_to(ROOT)
    print(f"Installing {files} into {where}, once: this takes a minute ...")
    sys.stdout.flush()
    try:
        venv.create(folder, with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        sys.exit("run.py: this Python can't make a virtual environment; apt install python3-venv?")
    listed = folder / "requirements.txt"
    listed.write_text(requirements)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if run(*pip, "-r", str(listed), environment=environment):
        sys.exit(f"run.py: pip could not install {files}; what it says is above.")
    installed.write_text(wanted)


def run(*arguments: str, environment: Environment = VENV) -> int:
    """Run the environment's Python with these arguments; return its exit code."""
    python = environment.python
    return subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode


def replace(*arguments: str, environment: Environment = VENV) -> int:
    """Become that Python, so that signals reach it. Windows can't, so wait for it there."""
    if os.name == "nt":
        return run(*arguments, environment=environment)
    os.chdir(ROOT)
    os.execv(environment.python, [environment.python, *arguments])  # noqa: S606


TASKS = {task.__name__: task for task in (serve, doctor, test, lint, typecheck, check, bench)}


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
        # bench has an environment of its own. The doctor needs no packages.
        if task not in (bench, doctor):
            install(VENV)
        return task(arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
