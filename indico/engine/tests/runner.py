"""Runs the tests in several processes, each with a MongoDB of its own, and adds up coverage.

The parent gives out test classes, the slowest first; a worker answers each with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NamedTuple

ENGINE = __package__.rpartition(".")[0]
PROJECT = ENGINE.rpartition(".")[0]
ROOT = Path(__file__).resolve().parents[3]
DURATIONS = ROOT / ".durations.json"

_OF_YOURS = ("routes", "service", "db", "test_app", "test_config")
YOURS = tuple(f"{PROJECT}.tests.{name}" for name in _OF_YOURS)
# Modules of each suite, and the files of which it must cover every line and branch.
SUITES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "all": ((PROJECT, "bench"), (f"{PROJECT}/*",)),
    "yours": (
        YOURS,
        tuple(f"{PROJECT}/{n}" for n in ("routes/*", "service/*", "db/*", "error/*", "utils/*")),
    ),
    "engine": ((f"{ENGINE}.tests",), (f"{PROJECT}/engine/*",)),
    "unit": ((PROJECT, "bench"), ()),
}
OTHERS = {"TEST_MONGODB_DRIVER": "pymongo", "TEST_HTTP_SERVER": "tornado", "TEST_LOOP": "asyncio"}
# What the matrix runs beside the defaults: which modules, in which environment.
MATRIX: list[tuple[str, dict[str, str]]] = [
    (f"{ENGINE}.tests.http", OTHERS),
    (f"{ENGINE}.tests.mongo", OTHERS),
    (f"{ENGINE}.tests.http", {"TEST_LOOP": "asyncio"}),
]


class Failure(NamedTuple):
    test: str
    text: str
    environment: dict[str, str]


def find(modules: Sequence[str], unit: bool) -> list[str]:
    """Return the test classes of `modules`, as `module:Class`."""
    found = {}
    for root in (PROJECT, "bench"):
        for file in sorted((ROOT / root).rglob("test_*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            if any(f"{name}.".startswith(f"{module}.") for module in modules):
                for test in _tests(unittest.defaultTestLoader.loadTestsFromName(name)):
                    if not (unit and getattr(test, "integration", False)):
                        found[f"{name}:{type(test).__name__}"] = True
    return list(found)


def _tests(suite: Iterable[Any]) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestCase):
            yield test
        else:
            yield from _tests(test)


class Worker:
    """A process that runs one test class after another."""

    def __init__(self, environment: dict[str, str], cover: bool) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the worker
        coverage = ("-m", "coverage", "run", "--parallel-mode") if cover else ()
        self._process = subprocess.Popen(
            [sys.executable, *coverage, "-m", f"{__package__}.runner", "--worker"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def run(self, item: str) -> dict[str, Any]:
        """Return what came out; a worker that dies is the failure of its test class."""
        assert self._process.stdin and self._process.stdout
        print(item, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if answer:
            result: dict[str, Any] = json.loads(answer)
            return result
        self.log.seek(0)
        text = f"the worker ended with {self._process.wait()}\n{self.log.read()[-5000:]}"
        return {"ran": 0, "skipped": 0, "seconds": 0, "failures": [[item, text]], "dead": True}

    def end(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def work() -> int:
    """Run the test classes that standard input names."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        module, _, name = line.strip().partition(":")
        result = unittest.TestResult()
        began = time.monotonic()
        unittest.defaultTestLoader.loadTestsFromName(f"{module}.{name}").run(result)
        bad = [*result.failures, *result.errors]
        bad += [(test, "it was expected to fail") for test in result.unexpectedSuccesses]
        told = {
            "ran": result.testsRun,
            "skipped": len(result.skipped),
            "seconds": time.monotonic() - began,
            "failures": [[test.id(), text] for test, text in bad],
        }
        print(json.dumps(told), file=answers, flush=True)
    return 0


class Run:
    """One pass over test classes, in one environment."""

    def __init__(self, environment: dict[str, str], cover: bool) -> None:
        self.environment = environment
        self.failures: list[Failure] = []
        self.durations: dict[str, float] = {}
        self.ran = self.skipped = 0
        self._cover = cover
        self._items: Queue[str] = Queue()
        self._lock = threading.Lock()

    def run(self, items: Sequence[str], processes: int) -> None:
        known = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
        for item in sorted(items, key=lambda each: -known.get(each, 1)):
            self._items.put(item)
        self._total = len(items)
        threads = [threading.Thread(target=self._work) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        worker = Worker(self.environment, self._cover)
        while True:
            try:
                item = self._items.get_nowait()
            except Empty:
                worker.end()
                return
            result = worker.run(item)
            with self._lock:
                self._count(item, result)
            if "dead" in result:
                worker.end()
                worker = Worker(self.environment, self._cover)

    def _count(self, item: str, result: dict[str, Any]) -> None:
        self.durations[item] = result["seconds"]
        self.ran += result["ran"]
        self.skipped += result["skipped"]
        failed = [Failure(test, text, self.environment) for test, text in result["failures"]]
        self.failures += failed
        said = f"{len(failed)} FAILED" if failed else "ok"
        place = f"[{len(self.durations):3}/{self._total}]"
        print(f"{place} {result['seconds']:6.1f} s  {said:9} {item}", flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py test", description="Run the tests.")
    parser.add_argument("--suite", choices=SUITES, default="all", help="unit needs no MongoDB")
    parser.add_argument(
        "--matrix",
        action="store_true",
        help="run the engine's HTTP and MongoDB tests also on the other driver, server and loop",
    )
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "names", nargs="*", help="such as path/to/test_user.py:UpdateTest.test_valid"
    )
    chosen = parser.parse_args(arguments)
    modules, covered = SUITES[chosen.suite]
    items = [each for name in chosen.names for each in _items(name)] or find(
        modules, chosen.suite == "unit"
    )
    covered = () if chosen.names else covered
    began = time.monotonic()
    if covered:
        _coverage("erase")
    runs = [Run({}, cover=bool(covered))]
    runs[0].run(items, chosen.processes)
    if not chosen.names:
        known = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
        DURATIONS.write_text(json.dumps(known | runs[0].durations))
    for module, environment in MATRIX if chosen.matrix else []:
        print(f"\n{module} with {_shown(environment)}", flush=True)
        runs.append(Run(environment, cover=False))
        some = [item for item in items if f"{item}.".startswith((f"{module}.", f"{module}:"))]
        runs[-1].run(some, chosen.processes)
    uncovered = covered and _report(covered)
    failures = [failure for run in runs for failure in run.failures]
    for failure in failures:
        print(f"\n{'=' * 70}\n{failure.test}\n{'-' * 70}\n{failure.text}")
        print(f"Alone: {_shown(failure.environment)}python3 run.py test {_path(failure.test)}")
    ran, skipped = sum(run.ran for run in runs), sum(run.skipped for run in runs)
    print(f"\n{ran} tests in {time.monotonic() - began:.0f} s")
    print(f"{ran - len(failures) - skipped} passed, {len(failures)} failed, {skipped} skipped")
    return 1 if failures or uncovered else 0


def _report(covered: Sequence[str]) -> bool:
    """Print what is not covered; return whether it is less than all."""
    _coverage("combine", "--quiet")
    include = f"--include={','.join(covered)}"
    return _coverage("report", "--skip-covered", "--fail-under=100", include) != 0


def _coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT).returncode


def _items(name: str) -> list[str]:
    path, _, test = name.partition(":")
    module = path.removesuffix(".py").strip("/").replace("/", ".")
    return [f"{module}:{test}"] if test else find([module], unit=False)


def _path(test: str) -> str:
    module = test.partition(" ")[0].split(".")
    place = next((n for n, word in enumerate(module) if word.startswith("test_")), len(module) - 1)
    return f"{'/'.join(module[: place + 1])}.py:{'.'.join(module[place + 1 :])}"


def _shown(environment: dict[str, str]) -> str:
    return "".join(f"{name}={value} " for name, value in environment.items())


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1:] == ["--worker"] else main(sys.argv[1:]))
