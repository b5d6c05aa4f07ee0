"""`DoctorTest`: runs one check, or the whole doctor in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any
from unittest.mock import patch

from ...doctor.command import main
from ...doctor.finding import Check, Finding
from ..environment import PREFIX
from ..sample.app import Settings
from ..sample.server import PROGRAM
from ..server_process import DOCTOR, ROOT, ProcessTest

NOBODY = 65534


class DoctorTest(ProcessTest):
    """A folder, settings with their data in it, and what checks find."""

    def settings(self, **chosen: Any) -> Settings:
        return Settings(**{"data_dir": self.folder / "data", **chosen})

    def found(self, check: Check, *arguments: Any) -> list[str]:
        """Return the state of each finding."""
        return [self.state(finding) for finding in check(*arguments)]

    def state(self, finding: Finding) -> str:
        """Return the state; only a fault or a warning may have a fix."""
        self.assertEqual(bool(finding.fix), finding.state != "ok", finding)
        return finding.state

    def one(self, check: Check, *arguments: Any) -> str:
        """Return the state, the sentence and the fix of the only finding, in one line."""
        (finding,) = check(*arguments)
        return f"{self.state(finding)}: {finding.seen} {finding.fix}"

    def examine(self, *flags: str, **environment: str) -> tuple[int, str]:
        """Run the whole doctor in this process, and return its exit code and its output.

        `data_dir` is in this test's folder.
        """
        with (
            patch.dict(os.environ, {f"{PREFIX}PORT": "0", **environment}),
            redirect_stdout(io.StringIO()) as printed,
        ):
            code = main(PROGRAM, ["--data-dir", f"{self.folder}/data", *flags])
        return code, printed.getvalue()

    def states(self, code: int, *flags: str, **environment: str) -> dict[str, str]:
        """Return the worst state of each name in the JSON that the whole doctor prints."""
        exit_code, printed = self.examine("--json", *flags, **environment)
        self.assertEqual(exit_code, code, printed)
        return self.worst(printed, code)

    def worst(self, printed: str, code: int) -> dict[str, str]:
        answer = json.loads(printed)
        self.assertEqual(answer["ok"], code == 0)
        order = ["ok", "warning", "fault"]
        worst: dict[str, str] = {}
        for one in answer["checks"]:
            self.state(Finding(**one))
            worst[one["name"]] = max(worst.get(one["name"], "ok"), one["state"], key=order.index)
        return worst

    def run_doctor(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the whole doctor in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", DOCTOR, "--data-dir", f"{self.folder}/data", *flags],
            cwd=ROOT,
            env={**os.environ, f"{PREFIX}PORT": "0"},
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def without_rights() -> Iterator[None]:
    """Give up root's rights meanwhile, if root runs the tests."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
