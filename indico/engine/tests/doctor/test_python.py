from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from unittest.mock import patch

from ...doctor.python import packages, python, virtual_environment
from ..server_process import ENGINE, ROOT
from .doctor_test import DoctorTest

PSUTIL = importlib.metadata.version("psutil")


class PythonTest(DoctorTest):
    def test_version(self) -> None:
        self.assertTrue(self.one(python).startswith("ok: Python 3."))
        self.assertEqual(self.found(python, (3, 11, 0, "final", 0)), ["ok"])
        self.assertIn("fault: Python 3.10.14 is too old", self.one(python, (3, 10, 14)))
        self.assertEqual(self.found(python, (2, 7, 18)), ["fault"])

    def test_virtual_environment(self) -> None:
        with patch("sys.prefix", "/somewhere"):
            self.assertEqual(self.found(virtual_environment), ["ok"])
        with patch("sys.prefix", sys.base_prefix):
            self.assertEqual(self.found(virtual_environment), ["warning"])

    def test_the_system_s_own(self) -> None:
        """The system's Python runs the check, without any package."""
        code = (
            f"import {ENGINE}.doctor.python as p; "
            "print(*[f.state for f in p.virtual_environment()])"
        )
        python = f"{sys.base_prefix}/bin/python3"
        printed = subprocess.check_output([python, "-c", code], cwd=ROOT, text=True)
        self.assertEqual(printed, "warning\n")


class PackagesTest(DoctorTest):
    def of(self, *lines: str) -> str:
        file = self.folder / "req.txt"
        file.write_text("\n".join(lines))
        return self.one(packages, file)

    def test_valid(self) -> None:
        self.assertEqual(self.found(packages), ["ok"])
        self.assertIn("ok: ", self.of("# What it runs on.", "", f"psutil=={PSUTIL}  # why"))

    def test_missing(self) -> None:
        line = self.of("nosuchpackage==1.0", f"psutil=={PSUTIL}")
        self.assertTrue(line.startswith("fault: Not as req.txt says: nosuchpackage is missing."))
        self.assertIn("python3 run.py serve, or pip install -r req.txt", line)

    def test_another_version(self) -> None:
        self.assertIn(f"psutil is {PSUTIL}, not ==1.0.", self.of("psutil==1.0"))

    def test_markers(self) -> None:
        self.assertIn("ok: ", self.of('nosuchpackage==1; sys_platform == "atari"'))
        self.assertIn("is missing", self.of('nosuchpackage==1; sys_platform != "atari"'))

    def test_what_not_every_server_needs(self) -> None:
        title = "# What the setting `tracing` needs."
        line = self.of(f"psutil=={PSUTIL}", "", title, "nosuchpackage==1")
        self.assertIn("warning: Not needed by every server: nosuchpackage is missing.", line)

    def test_no_file(self) -> None:
        self.assertIn("ok: There is no req.txt", self.one(packages, self.folder / "req.txt"))

    def test_no_packaging(self) -> None:
        with patch.dict(sys.modules, {"packaging.requirements": None}):
            self.assertIn("fault: packaging is not installed", self.one(packages))
