"""`run.py test`: the suites, the matrix, the failures and the coverage of all processes."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import time
import unittest
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .environment import DRIVER, EXAMPLES, HTTP_SERVER, LANE, LOOP, NO_MONGODB
from .runner_process import ROOT, Failure, Item, Run, RunnerProcess, class_of, shown

ENGINE = __package__.rpartition(".")[0]
PROJECT = ENGINE.rpartition(".")[0]
FOLDER = PROJECT.replace(".", "/")


class Suite(NamedTuple):
    """Test modules, and files of which they must cover every line and branch."""

    modules: tuple[str, ...]
    covered: tuple[str, ...]
    environment: dict[str, str] = {}  # noqa: RUF012 - nothing changes it


BROWSER = f"{PROJECT}.tests.browser"
_PARTS = ("routes", "service", "db", "web", "test_app", "test_config")
_COVERED = (
    *("routes/*", "service/*", "db/*", "web/*", "error/*", "utils/*"),
    *("app.py", "config.py"),
)
SUITES = {
    "all": Suite((PROJECT, "bench"), (f"{FOLDER}/*", "clients/python/*")),
    "yours": Suite(
        tuple(f"{PROJECT}.tests.{part}" for part in _PARTS),
        tuple(f"{FOLDER}/{part}" for part in _COVERED),
    ),
    "engine": Suite((f"{ENGINE}.tests",), (f"{FOLDER}/engine/*",)),
    "unit": Suite((PROJECT, "bench"), (), {NO_MONGODB: "1"}),
    "browser": Suite((BROWSER,), ()),
}
_OTHERS = {DRIVER: "pymongo", HTTP_SERVER: "tornado", LOOP: "asyncio"}
_REPLICA_SET = f"{ENGINE}.tests.mongo.test_replica_set"
# What the matrix runs after the defaults: an environment, and the modules that run in it. Of a
# folder, a class runs if the variables that it `varies_with` have values that it has not run with.
# An environment more takes new processes, each of which starts a MongoDB.
MATRIX: list[tuple[dict[str, str], tuple[str, ...]]] = [
    # The longest of all classes is first, because the others fill the time beside it.
    ({EXAMPLES: "66"}, (f"{ENGINE}.tests.http.test_splits",)),
    (
        {"PRIMARY_KILLS": "1", EXAMPLES: "4"},
        (_REPLICA_SET, f"{PROJECT}.tests", f"{ENGINE}.tests.mongo"),
    ),
    ({"PRIMARY_KILLS": "1", LANE: "off"}, (f"{ENGINE}.tests.mongo",)),
    (_OTHERS, (f"{ENGINE}.tests.http", f"{ENGINE}.tests.mongo")),
    ({LOOP: "asyncio"}, (f"{ENGINE}.tests.http", f"{ENGINE}.tests.tcp")),
]
HELP = f"""
The suites:
  all      everything; all lines and branches must be covered
  yours    routes, service, db, web, the app and the settings; your files must be covered
  engine   the engine's own tests; its files must be covered
  unit     the tests that need no MongoDB and no process
  browser  the pages in Chromium; no other suite has these tests

A name is a folder or a file, with a class and a test in the file if you like:
  {FOLDER}/tests/routes/test_user.py:UpdateTest.test_valid

--matrix also runs the engine's tests of HTTP and MongoDB on PyMongo's own client, Tornado's
HTTP server and the loop of asyncio; its tests of MongoDB without lanes; its tests of HTTP and
TCP on its own servers and that loop; 66 times as many streams of requests, split at random; four
times as many random examples of your routes and of concurrent operations; and all faults of a
replica set, with lanes and without. A test that would do the same again is left out.
"""


def find(modules: Sequence[str], unit: bool = False) -> list[str]:
    """Return the test classes in `modules` as `module:Class`, the slowest first.

    With `unit` classes that need more than their own process are left out. The classes that need a
    browser are found only by a name in their folder.
    """
    in_browser = any(_is_in(module, [BROWSER]) for module in modules)
    found: dict[str, float] = {}
    for root in (PROJECT, "bench"):
        for file in sorted((ROOT / root.replace(".", "/")).rglob("test_*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            if _is_in(module, modules) and _is_in(module, [BROWSER]) == in_browser:
                for test in _tests(unittest.defaultTestLoader.loadTestsFromName(module)):
                    integration = getattr(test, "integration", False)
                    if not (unit and integration):
                        seconds = getattr(test, "seconds", 1 if integration else 0)
                        found[f"{module}:{type(test).__name__}"] = seconds
    return sorted(found, key=lambda item: -found[item])


def _is_in(module: str, parents: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{parent}.") for parent in parents)


def _tests(suite: Iterable[Any]) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestCase):
            yield test
        else:
            yield from _tests(test)


def matrix(items: Sequence[str]) -> list[Item]:
    """Return what `--matrix` adds to `items`, which have run on the defaults."""
    added = []
    done: list[tuple[str, dict[str, str]]] = [(item, {}) for item in items]
    for environment, modules in MATRIX:
        for item in items:
            module = item.split(":")[0]
            names = environment if module in modules else _varies_with(item)
            seen = item, {name: environment[name] for name in environment if name in names}
            if _is_in(module, modules) and seen not in done:
                done.append(seen)
                added.append(Item(item, environment, cover=False))
    return added


def _varies_with(item: str) -> Collection[str]:
    """Return the variables with which the tests in `item` do something else."""
    importlib.import_module(item.split(":")[0])
    return getattr(class_of(item), "varies_with", ())


def main(arguments: Sequence[str]) -> int:
    chosen = _parse(arguments)
    suite = SUITES[chosen.suite]
    covered = () if chosen.names else suite.covered
    began = time.monotonic()
    if covered:
        _coverage("erase")
    if chosen.names:
        run = Run([])
        items = [item for name in chosen.names for item in _items(name)]
    else:
        # One begins with the tests that cover nothing, because some of them take longest.
        covers = [bool(covered) and number > 0 for number in range(chosen.processes)]
        run = Run(RunnerProcess(suite.environment, each) for each in covers)
        items = find(suite.modules, unit=NO_MONGODB in suite.environment)
    run.items = [
        Item(item, suite.environment, bool(covered) and getattr(class_of(item), "covers", True))
        for item in items
    ]
    if chosen.matrix:
        run.items += matrix(items)
    run.run(chosen.processes)
    missed = bool(covered) and _misses(covered)
    failed = _report(run, time.monotonic() - began)
    return 1 if failed or missed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py test",
        description="Run the tests, each of a few processes with a MongoDB of its own.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--suite", choices=SUITES, default="all", help="see below")
    parser.add_argument("--matrix", action="store_true", help="see below")
    # More than cores, because half of the time is waiting for servers.
    processes = 2 * (cores or 1)
    parser.add_argument("--processes", type=int, default=processes, help="default: twice the cores")
    parser.add_argument("names", nargs="*", help="files, classes or tests, without coverage")
    return parser.parse_args(arguments)


def _items(name: str) -> list[str]:
    path, _, test = name.partition(":")
    module = path.removesuffix(".py").strip("/").replace("/", ".")
    found = [f"{module}:{test}"] if test else find([module])
    return found or sys.exit(f"run.py test: there is no test in {path}.")


def _misses(covered: Sequence[str]) -> bool:
    """Print the lines and branches that are not covered; return whether there are any."""
    _coverage("combine", "--quiet")
    include = f"--include={','.join(covered)}"
    return _coverage("report", "--skip-covered", "--fail-under=100", include) != 0


def _coverage(*arguments: str) -> int:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _report(run: Run, seconds: float) -> int:
    """Print the counts and the failures; return how many failures there are."""
    failed = len(run.failures)
    bad = {(failure.test, *failure.environment.items()) for failure in run.failures}
    passed = run.ran - run.skipped - len(bad)
    for failure in run.failures:
        print(f"\n{'=' * 70}\n{failure.test}\n{'-' * 70}\n{failure.text}")
        print(f"Alone: {_alone(failure)}")
    print(f"\n{run.ran} tests in {seconds:.0f} s")
    print(f"{passed} passed, {failed} failed, {run.skipped} skipped")
    return failed


def _alone(failure: Failure) -> str:
    """Return the command that runs only the test that failed."""
    # "setUpClass (module.Class)", or "module.Class.test (values of a subtest)".
    fixture = re.match(r"(?:setUp|tearDown)(?:Class|Module) \((\S+)\)", failure.test)
    words = (fixture[1] if fixture else failure.test.split(" ")[0]).replace(":", ".").split(".")
    last = next((n for n, word in enumerate(words) if word.startswith("test_")), len(words) - 1)
    path, test = "/".join(words[: last + 1]), ".".join(words[last + 1 :])
    name = f"{path}.py:{test}" if test else f"{path}.py"
    return f"{shown(failure.environment)}python3 run.py test {name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
