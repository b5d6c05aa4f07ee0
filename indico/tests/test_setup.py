"""`setup.py`: what pip installs with the package."""

from __future__ import annotations

import runpy
import subprocess
import sys
from configparser import ConfigParser
from types import SimpleNamespace
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from indico.tests.server_process import ROOT


class SetupTest(TestCase):
    def test_requirements(self) -> None:
        """A server's requirements, without those of tracing, of the tests and of the checks."""
        given: dict[str, Any] = {}
        setuptools = SimpleNamespace(setup=given.update)
        with patch.dict(sys.modules, {"setuptools": setuptools}):
            runpy.run_path(str(ROOT / "setup.py"))
        tracing = given["extras_require"]["otel"]
        listed = (ROOT / "req.txt").read_text().splitlines()
        self.assertEqual(
            [*given["install_requires"], *tracing], [line for line in listed if "==" in line]
        )
        self.assertEqual({line.split("-")[0] for line in tracing}, {"opentelemetry"})

    def test_files_that_are_no_modules(self) -> None:
        settings = ConfigParser()
        settings.read(ROOT / "setup.cfg")
        patterns = settings["options.package_data"]
        for file in (ROOT / "indico/service").iterdir():
            if file.is_file() and file.suffix != ".py":
                self.assertTrue(file.match(patterns["indico.service"]), file)

    def test_no_setuptools(self) -> None:
        """Python 3.12 and newer bring none."""
        done = subprocess.run(
            [sys.executable, "-S", "setup.py", "develop"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^setup.py: .*pip install setuptools.*pip install -e .")
