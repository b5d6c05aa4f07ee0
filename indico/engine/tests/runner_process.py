"""Processes that run the tests, one class at a time, and the run that gives out the classes."""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from . import environment as _environment  # noqa: F401 - the processes of tests inherit it

ROOT = Path(__file__).resolve().parents[3]
HANGS_AFTER_SECONDS = 300  # the slowest class takes a tenth of this
Kind = tuple[dict[str, str], bool]


class Failure(NamedTuple):
    """A test that failed, and the environment in which it did."""

    test: str
    text: str
    environment: dict[str, str]


class Item(NamedTuple):
    """A test class, or one test, and how it is run."""

    test: str
    environment: dict[str, str]
    cover: bool

    @property
    def kind(self) -> Kind:
        """The kind of process that runs the item."""
        return self.environment, self.cover


class RunnerProcess:
    """A process that runs one test class after another, with a MongoDB of its own."""

    def __init__(self, environment: dict[str, str], cover: bool) -> None:
        self.kind: Kind = environment, cover
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        coverage = ("-m", "coverage", "run", "--parallel-mode") if cover else ()
        self._process = subprocess.Popen(
            [sys.executable, *coverage, "-m", __name__],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def run(self, item: str) -> dict[str, Any]:
        """Return the result; when the process dies, its test class has failed."""
        assert self._process.stdin and self._process.stdout
        print(item, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if answer:
            result: dict[str, Any] = json.loads(answer)
            return result
        code = self._process.wait()
        self._log.seek(0)
        text = f"The process of the tests ended with {code}.\n{self._log.read()[-5000:]}"
        counts = dict.fromkeys(("skipped", "seconds", "processor"), 0)
        return {**counts, "ran": 1, "failures": [[item, text]], "dead": True}

    def end(self) -> None:
        """Let the process finish: it stops its MongoDB and writes its coverage."""
        assert self._process.stdin and self._process.stdout
        with self._process.stdin, self._process.stdout, self._log:
            self._process.stdin.close()
            self._process.wait()


class Run:
    """A run of test classes, as many at a time as there are processes.

    The processes in `started` start while the caller looks for the tests.
    """

    def __init__(self, started: Iterable[RunnerProcess]) -> None:
        self.items: list[Item] = []
        self._started = list(started)
        self.failures: list[Failure] = []
        self.ran = self.skipped = 0
        self._left: list[Item] = []
        self._kinds: list[Kind | None] = []
        self._lock = threading.Lock()
        self._done = 0

    def run(self, processes: int) -> None:
        """Run the items in their order, as far as that takes few starts of processes."""
        self._left = list(self.items)
        # Daemons, so that Ctrl-C ends the run.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        with self._lock:
            process = self._started.pop() if self._started else None
            kind = process.kind if process else None
            self._kinds.append(kind)
        while item := self._next(kind):
            if process and kind != item.kind:
                process.end()
                process = None
            kind = item.kind
            process = process or RunnerProcess(*kind)
            result = process.run(item.test)
            with self._lock:
                self._count(item, result)
            if "dead" in result:
                process.end()
                process = None
        if process:
            process.end()

    def _next(self, kind: Kind | None) -> Item | None:
        """Take the first item for a process of this kind.

        If there is none, take one of a kind that no other process has, or else the first of all,
        because each change of kind costs the start of a process with its MongoDB.
        """
        with self._lock:
            self._kinds.remove(kind)
            mine = [each for each in self._left if each.kind == kind]
            new = [each for each in self._left if each.kind not in self._kinds]
            item = next(iter([*mine, *new, *self._left]), None)
            if item:
                self._left.remove(item)
                self._kinds.append(item.kind)
            return item

    def _count(self, item: Item, result: dict[str, Any]) -> None:
        self._done += 1
        self.ran += result["ran"]
        self.skipped += result["skipped"]
        failed = [Failure(test, text, item.environment) for test, text in result["failures"]]
        self.failures += failed
        verdict = f"{len(failed)} FAILED" if failed else "ok"
        place = f"[{self._done:3}/{len(self.items)}]"
        times = f"{result['seconds']:6.1f} s {result['processor']:6.1f} s"
        name = f"{item.test} {shown(item.environment)}".strip()
        print(f"{place} {times}  {verdict:9} {name}", flush=True)


def shown(environment: dict[str, str]) -> str:
    return "".join(f"{name}={value} " for name, value in environment.items())


def run_class(item: str) -> dict[str, Any]:
    """Return the counts, seconds and failures of the test class `item`."""
    result = unittest.TestResult()
    began, processor = time.monotonic(), _processor_seconds()
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True)
    tests = unittest.defaultTestLoader.loadTestsFromName(item.replace(":", "."))
    tests.run(result)
    faulthandler.cancel_dump_traceback_later()
    bad = [*result.failures, *result.errors]
    bad += [(test, "The test was expected to fail.") for test in result.unexpectedSuccesses]
    return {
        "ran": result.testsRun,
        "skipped": len(result.skipped),
        "seconds": time.monotonic() - began,
        "processor": _processor_seconds() - processor,
        "failures": [[test.id(), text] for test, text in bad],
    }


def class_of(item: str) -> type | None:
    """Return the test class in `item`, whose module is imported."""
    module, _, test = item.partition(":")
    return getattr(sys.modules.get(module), test.split(".")[0], None)


def _processor_seconds() -> float:
    """Return the processor time of this process, and of its children that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    """Run the test classes that standard input names, and answer each with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that the output of a test is no answer
    for line in sys.stdin:
        print(json.dumps(run_class(line.strip())), file=answers, flush=True)


if __name__ == "__main__":
    main()
