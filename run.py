#!/usr/bin/env python3
"""Every task of this repository, on the standard library alone: `python3 run.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BENCH = ROOT / ".bench/venv"
CLIENTS = ROOT / ".clients/venv"
# The requirements of running, of testing too, of checking too.
SERVE = ("req.txt", "req-docs.txt")
TEST = (*SERVE, "req-test.txt")
CHECK = (*TEST, "req-check.txt")
BROWSER = (*TEST, "req-browser.txt")
# Its package requires Flask, and is only a folder of files here.
ALONE = ("req-docs.txt",)


def serve(flags: list[str]) -> int:
    """start the server; flags are the server's own (--help shows them)"""
    install(VENV, SERVE)
    return replace("-m", "indico.server", *flags)


def doctor(flags: list[str]) -> int:
    """report what would go wrong with a server that has these flags"""
    python = python_of(VENV)
    if not os.path.exists(python):
        python = sys.executable
    return subprocess.run([python, "-m", "indico.doctor", *flags], cwd=ROOT, check=False).returncode


def migrate(flags: list[str]) -> int:
    """apply the migrations of the database (--status, --dry-run, --to N)"""
    install(VENV, SERVE)
    return run("-m", "indico.migrate", *flags)


def jobs(flags: list[str]) -> int:
    """show the jobs, run dead ones again, or work on them (--help shows the flags)"""
    install(VENV, SERVE)
    return replace("-m", "indico.jobs", *flags)


def seed(flags: list[str]) -> int:
    """fill a development database with accounts to try"""
    install(VENV, SERVE)
    return run("-m", "indico.seed", *flags)


def test(arguments: list[str]) -> int:
    """run all tests, a --suite of them, or those that are named (--help shows more)"""
    install(VENV, BROWSER if any("browser" in word for word in arguments) else TEST)
    return run("-m", "indico.engine.tests.runner", *arguments)


def screenshots(_: list[str]) -> int:
    """make the pictures of the pages in docs/ anew, in Chromium"""
    install(VENV, BROWSER)
    return run("-m", "indico.tests.browser.screenshots")


def lint(paths: list[str]) -> int:
    """ruff: style and formatting"""
    install(VENV, CHECK)
    paths = paths or ["."]
    return run("-m", "ruff", "check", *paths) or run("-m", "ruff", "format", "--check", *paths)


def typecheck(_: list[str]) -> int:
    """mypy --strict on the package, clients, and bench without its peers"""
    install(VENV, CHECK)
    return run("-m", "mypy", "--strict", "indico", "bench", "clients", "run.py")


def check(_: list[str]) -> int:
    """lint, typecheck and test"""
    return lint([]) or typecheck([]) or test([])


def fuzz(arguments: list[str]) -> int:
    """call every operation with generated data, signed in and not: fuzz [SECONDS], 120 if unset"""
    install(VENV, CHECK)
    return run("-m", "indico.tests.fuzz", *arguments)


def api(_: list[str]) -> int:
    """write docs/api.md, the page of all calls, from the code"""
    install(VENV, SERVE)
    return run("-m", "indico.api")


def clients(arguments: list[str]) -> int:
    """make a TypeScript and a Python client in .clients; --test tries both on a server"""
    install(VENV, CHECK if arguments else SERVE)
    install(CLIENTS, ("clients/requirements.txt",))
    made = run("-m", "clients")
    return made or run("-m", "unittest", "-v", "clients.test_clients") if arguments else made


def bench(arguments: list[str]) -> int:
    """measure how fast it is, beside other frameworks (--help shows what there is)"""
    install(BENCH, (*SERVE, "bench/requirements.txt"))
    return replace("-m", "bench", *arguments, environment=BENCH)


def install(environment: Path, files: tuple[str, ...]) -> None:
    """Install the requirements in `files` into what is there, unless it has them all.

    A record in the environment tells, with a line for each requirement and one for the Python.
    """
    record = environment / "installed.txt"
    installed = set(record.read_text().splitlines()) if record.is_file() else set()
    wanted = {line for file in files for line in requirements(file)}
    python = python_version(environment)
    if {python, *wanted} <= installed:
        return
    names, where = " and ".join(files), environment.relative_to(ROOT)
    print(f"Installing {names} into {where}, once: this takes a minute ...", flush=True)
    if not python:
        make(environment)
        installed = set()
    record.unlink(missing_ok=True)  # because pip may fail half-way
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    together = [f"--requirement={file}" for file in files if file not in ALONE]
    alone = [f"--requirement={file}" for file in files if file in ALONE]
    for options in (together, ["--no-deps", *alone] if alone else []):
        if options and run(*pip, *options, environment=environment):
            sys.exit(f"run.py: pip could not install {names}; what it says is above.")
    others = {line for line in installed if not line.startswith(("Python", *files))}
    record.write_text("\n".join(sorted({python_version(environment), *others, *wanted})))


def requirements(file: str) -> list[str]:
    """Return the requirements in `file`, without comments, each after the name of the file."""
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in (ROOT / file).read_text().splitlines()]
    return [f"{file}: {' '.join(line.split())}" for line in lines if line.strip()]


def python_version(environment: Path) -> str:
    """Return the version of the environment's Python; empty if it is too old or lacks pip.

    An upgrade of the system can change that Python, or take it away.
    """
    code = "import pip, sys; sys.version_info >= (3, 11) and print('Python', sys.version_info[:3])"
    command = [python_of(environment), "-I", "-c", code]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def make(environment: Path) -> None:
    """Make the environment, in place of one that is not usable."""
    if environment.is_symlink():
        sys.exit(
            f"run.py: {environment.relative_to(ROOT)} is a link to a folder without a usable "
            "Python: remove the link, or make an environment there."
        )
    try:
        venv.create(environment, with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        sys.exit("run.py: this Python can't make a virtual environment; apt install python3-venv?")


def python_of(environment: Path) -> str:
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def run(*arguments: str, environment: Path = VENV) -> int:
    """Run the environment's Python with these arguments; return its exit code."""
    python = python_of(environment)
    return subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode


def replace(*arguments: str, environment: Path = VENV) -> int:
    """Become that Python, so that signals reach it. Windows can't, so wait for it there."""
    if os.name == "nt":
        return run(*arguments, environment=environment)
    os.chdir(ROOT)
    python = python_of(environment)
    os.execv(python, [python, *arguments])  # noqa: S606


_ALL = (
    *(serve, doctor, migrate, jobs, seed, test, lint, typecheck, check),
    *(fuzz, api, clients, screenshots, bench),
)
TASKS = {task.__name__: task for task in _ALL}


def main(arguments: list[str]) -> int:
    task = TASKS.get(arguments[0]) if arguments else None
    asked = arguments in ([], ["-h"], ["--help"])
    if not (task or asked):
        print(f"run.py: there is no task {arguments[0]}", file=sys.stderr, flush=True)
    if task is None:
        print("usage: python3 run.py TASK [arguments]\n")
        for name, known in TASKS.items():
            print(f"  {name:11} {known.__doc__}")
        return 0 if asked else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - it is this line that says so
        sys.exit("run.py: indico needs Python 3.11 or newer.")
    try:
        return task(arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
