"""The commands of the project: `python -m indico.server`, `indico.jobs` and the others."""

from __future__ import annotations

import subprocess
import sys
from unittest import TestCase

from indico.tests.server_process import ROOT


class CommandsTest(TestCase):
    integration = True

    def test_nothing_installed(self) -> None:
        """Each command says what to do, but for the doctor, which finds out more."""
        files = (ROOT / "indico").glob("*.py")
        names = {file.stem for file in files if "__main__" in file.read_text()} - {"doctor"}
        self.assertGreaterEqual(names, {"server", "jobs", "migrate", "seed"})
        for name in names:
            done = subprocess.run(
                [f"{sys.base_prefix}/bin/python3", "-S", "-m", f"indico.{name}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"^indico: .* lacks the package \w+: .*\n$")
