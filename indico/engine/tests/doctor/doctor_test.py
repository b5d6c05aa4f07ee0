"""`DoctorTest`: a check, or the whole doctor in a process of its own, and what it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...doctor.finding import Check, Finding
from ..environment import PREFIX
from ..sample.app import Settings
from ..server_process import DOCTOR, ROOT, ProcessTest

NOBODY = 65534


class DoctorTest(ProcessTest):
    """Its checks are called as they are; `settings` has its data in our folder."""

    def settings(self, **chosen: Any) -> Settings:
        return Settings(**{"data_dir": self.folder / "data", **chosen})

    def found(self, check: Check, *arguments: Any) -> list[str]:
        """The state of each finding; a fault or a warning has its mend, no other has."""
        return [self.state(finding) for finding in check(*arguments)]

    def state(self, finding: Finding) -> str:
        self.assertEqual(bool(finding.mend), finding.state != "ok", finding)
        return finding.state

    def one(self, check: Check, *arguments: Any) -> str:
        """State, what was seen and the mend of the only finding, in one line."""
        (finding,) = check(*arguments)
        return f"{self.state(finding)}: {finding.seen} {finding.mend}"

    def examine(self, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The whole doctor, with its embedded MongoDB's data in our folder."""
        return subprocess.run(
            [sys.executable, "-m", DOCTOR, "--data-dir", f"{self.folder}/data", *flags],
            cwd=ROOT,
            env={**os.environ, f"{PREFIX}PORT": "0", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def states(self, code: int, *flags: str, **environment: str) -> dict[str, str]:
        """The worst state of each name in the JSON of the whole doctor."""
        done = self.examine("--json", *flags, **environment)
        self.assertEqual((done.returncode, done.stderr), (code, ""), done.stdout)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["ok"], code == 0)
        order = ["ok", "warning", "fault"]
        worst: dict[str, str] = {}
        for one in answer["checks"]:
            self.state(Finding(**one))
            worst[one["name"]] = max(worst.get(one["name"], "ok"), one["state"], key=order.index)
        return worst


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who may not do everything, also for those who run the tests as root."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
