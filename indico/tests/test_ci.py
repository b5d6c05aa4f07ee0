"""`.ci/run`: its exit code, what it prints last, and what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import TestCase

import psutil

from indico.tests.server_process import ROOT, until

# Programs that the script looks for, so that apt-get is never run.
PRESENT = [*re.findall(r"command -v (\S+)", (ROOT / ".ci/run").read_text()), "apt-get"]
# Stands in for python3: run.py's tasks do what the test writes into files of their names. A suite
# of the tests has a file of its own.
PYTHON = """#!/bin/sh
[ "$1" = run.py ] || exit 0
task=$2
[ "$3" = --suite ] && task=$4
if [ -e "$task" ]; then . "./$task"; fi
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class RunTest(TestCase):
    integration = True

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        (self.folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/run", self.folder / ".ci")
        programs = self.folder / "programs"
        programs.mkdir()
        for name in PRESENT:
            (programs / name).symlink_to("/bin/true")
        (programs / "python3").write_text(PYTHON)
        (programs / "python3").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run_ci(self, **tasks: str) -> tuple[int, str]:
        """Return code and output of a run, in which each task is a piece of shell."""
        for task, code in tasks.items():
            (self.folder / task).write_text(code)
        done = subprocess.run(
            [".ci/run"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            process_group=0,
        )
        return done.returncode, done.stdout

    def test_valid(self) -> None:
        code, printed = self.run_ci(test="echo 5 passed", fuzz="echo 9 calls")
        self.assertEqual((code, printed), (0, "5 passed\n9 calls\n"))

    def test_lint_fails(self) -> None:
        code, printed = self.run_ci(lint="echo long; exit 4", test="echo 5 passed")
        self.assertEqual((code, printed), (4, "long\n"))

    def test_a_test_fails(self) -> None:
        """Nothing is printed after the failure, and what ran beside the tests has ended."""
        fuzz = "echo $$ >started.new; mv started.new started; exec sleep 1000"
        test = "while [ ! -e started ]; do sleep 0.01; done; echo 1 failed; exit 3"
        code, printed = self.run_ci(test=test, fuzz=fuzz)
        self.assertEqual((code, printed), (3, "1 failed\n"))
        pid = int((self.folder / "started").read_text())
        until(lambda: not runs(pid))

    def test_what_runs_beside_fails(self) -> None:
        for task in ("typecheck", "fuzz", "clients"):
            self.check_failure_beside(task)

    def test_a_page_fails(self) -> None:
        self.check_failure_beside("browser")

    def check_failure_beside(self, task: str) -> None:
        failing = {task: "echo what is wrong; exit 6"}
        code, printed = self.run_ci(test="echo 5 passed", **failing)
        self.assertEqual((code, printed), (1, "5 passed\nwhat is wrong\n"), task)
        (self.folder / task).unlink()

    def test_without_chromium(self) -> None:
        """Debian's package is installed, before anything else runs."""
        programs = self.folder / "programs"
        for name in PRESENT:
            (programs / name).unlink(missing_ok=True)
        for name in ("bash", "cat", "dirname", "mktemp", "nice", "rm", "sh", "tail"):
            (programs / name).symlink_to(str(shutil.which(name)))
        (programs / "apt-get").write_text("#!/bin/sh\necho $*\n")
        (programs / "apt-get").chmod(0o755)
        self.environment["PATH"] = str(programs)
        code, printed = self.run_ci(lint="echo linted")
        self.assertEqual(code, 0, printed)
        self.assertRegex(printed, "install .* chromium-headless-shell\nlinted\n")
