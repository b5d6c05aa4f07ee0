"""The units for systemd, read by systemd itself."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from indico import config
from indico.tests.deploy.programs import DEPLOY, needs, program, read_by

SERVICE = DEPLOY.joinpath("indico.service").read_text()
# Of 10, in tenths: systemd says OK up to 5, and 9.6 of a service without any sandbox.
EXPOSURE = "12"
ANALYZE = program("systemd-analyze")


class SettingsTest(unittest.TestCase):
    def test_flags(self) -> None:
        """The server takes those that it is started with, and what its environment says."""
        (flags,) = re.findall(r"ExecStart=\S+ -m indico\.server (.*)", SERVICE)
        with TemporaryDirectory(prefix="indico-tests-") as folder:
            settings = Path(folder, "settings.yaml")
            settings.write_text("secret_key: 0123456789abcdef\nmongodb_uri: mongodb://a\n")
            loaded = config.load(flags.replace("%d", folder).split())
        self.assertEqual(loaded.processes, 0)
        for line in re.findall(r"^Environment=(INDICO_.*)", SERVICE, re.MULTILINE):
            for name, value in (pair.split("=") for pair in line.split()):
                field = name.removeprefix("INDICO_").lower()
                config.Settings.__pydantic_validator__.validate_assignment(
                    loaded.model_copy(), field, value
                )

    def test_time_to_stop(self) -> None:
        (seconds,) = re.findall(r"TimeoutStopSec=(\d+)", SERVICE)
        self.assertGreater(int(seconds), config.Settings().drain_seconds + 5)


@needs(ANALYZE, "systemd-analyze, of apt install systemd")
class AnalyzeTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-tests-")))
        service = SERVICE.replace("/opt/indico/.venv/bin/python", sys.executable)
        self.write(service)
        socket = DEPLOY.joinpath("indico.socket").read_text()
        self.folder.joinpath("indico.socket").write_text(socket)

    def write(self, service: str) -> None:
        self.service = self.folder / "indico.service"
        self.service.write_text(service)

    def verify(self) -> tuple[int, str]:
        said = read_by(ANALYZE, "verify", self.service, self.folder / "indico.socket")
        return said.returncode, said.stdout

    def security(self) -> tuple[int, str]:
        flags = ("--offline=true", "--no-pager", f"--threshold={EXPOSURE}")
        said = read_by(ANALYZE, "security", *flags, self.service)
        return said.returncode, said.stdout

    def test_verify(self) -> None:
        self.assertEqual(self.verify(), (0, ""))

    def test_verify_finds_a_fault(self) -> None:
        self.write(self.service.read_text().replace("ProtectSystem=strict", "ProtectSystem=most"))
        _, said = self.verify()
        self.assertIn("Failed to parse protect system value", said)

    def test_security(self) -> None:
        code, said = self.security()
        self.assertEqual(code, 0, said)

    def test_security_finds_a_hole(self) -> None:
        self.write(self.service.read_text().replace("NoNewPrivileges=yes", ""))
        self.assertEqual(self.security()[0], 0)  # which DynamicUser implies
        self.write(self.service.read_text().replace("SystemCallFilter=~@privileged", ""))
        self.assertNotEqual(self.security()[0], 0)
