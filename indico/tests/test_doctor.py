"""`python -m indico.doctor`: the engine's doctor with your settings."""

from __future__ import annotations

import json
import subprocess
import sys
from unittest import TestCase

from indico.engine.tests.environment import measured
from indico.tests.server_process import ROOT


class DoctorTest(TestCase):
    integration = True

    def examine(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def test_your_settings(self) -> None:
        flags = ("--json", "--session-ttl-seconds", "0")
        with measured():
            done = self.examine(sys.executable, "-m", "indico.doctor", *flags)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        (finding,) = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "settings"]
        self.assertIn("session_ttl_seconds: '0' is not allowed", finding["seen"])

    def test_nothing_installed(self) -> None:
        """The doctor and `server.py` need no package, because a missing one is a finding."""
        done = self.examine(f"{sys.base_prefix}/bin/python3", "-S", "-m", "indico.doctor")
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        self.assertRegex(done.stdout, r"fault    packages +packaging is not installed")
        self.assertRegex(done.stdout, r"fault    the rest +indico can't be imported")
