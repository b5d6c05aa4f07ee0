"""The units for systemd, read by systemd itself."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from indico.config import Settings
from indico.engine.tests.server_test import mongodb_uri, test_database
from indico.tests.deploy.programs import DEPLOY, needs, program, read_by
from indico.tests.server_process import ROOT, ProcessTest

# As systemd starts a service with MemoryDenyWriteExecute, whose socket it holds: the fd becomes 3.
LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
SERVICE = DEPLOY.joinpath("indico.service").read_text()
# Of 10, in tenths: systemd says OK up to 5, and 9.6 of a service without any sandbox.
EXPOSURE = "12"
ANALYZE = program("systemd-analyze")


class ServiceTest(ProcessTest):
    """Command of the unit, with its environment and its sockets."""

    seconds = 10

    def setUp(self) -> None:
        super().setUp()
        self.listening = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.port = self.listening.getsockname()[1]
        self.manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.manager.bind(str(self.folder / "notify"))
        self.manager.settimeout(60)
        values = {
            "secret_key": "0123456789abcdef",
            "mongodb_uri": mongodb_uri(),
            "mongodb_database": test_database(self),
        }
        self.folder.joinpath("settings.yaml").write_text(json.dumps(values))

    def start_service(self) -> subprocess.Popen[bytes]:
        (command,) = re.findall(r"ExecStart=\S+ (.*)", SERVICE)
        self.assertIn("--processes 0", command)  # a worker a core
        command = command.replace("--processes 0", "--processes 1").replace("%d", str(self.folder))
        environment = dict(pair.split("=") for pair in re.findall(r"\w+=\S+", self.environment()))
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCHER, str(self.listening.fileno()), *command.split()],
            cwd=ROOT,
            env={**os.environ, **environment, "NOTIFY_SOCKET": str(self.folder / "notify")},
            pass_fds=[self.listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        return process

    @staticmethod
    def environment() -> str:
        return " ".join(re.findall(r"^Environment=(.*)", SERVICE, re.MULTILINE))

    def assert_says(self, state: str) -> None:
        self.assertIn(state, self.manager.recv(1000).decode().splitlines())

    def test_life(self) -> None:
        """A client that connects while no server runs is answered by the next server."""
        process = self.start_service()
        self.assert_says("READY=1")
        self.assert_answers()
        process.send_signal(signal.SIGHUP)
        self.assert_says("RELOADING=1")
        self.assert_says("READY=1")
        self.assert_answers()
        process.terminate()
        self.assert_says("STOPPING=1")
        self.assertEqual(process.wait(60), 0)
        with ThreadPoolExecutor() as threads:
            answered = threads.submit(self.assert_answers)
            self.start_service()
            answered.result()

    def assert_answers(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60) as answer:
            self.assertEqual(answer.status, 200)

    def test_time_to_stop(self) -> None:
        (seconds,) = re.findall(r"TimeoutStopSec=(\d+)", SERVICE)
        self.assertGreater(int(seconds), Settings().drain_seconds + 5)


@needs(ANALYZE, "systemd-analyze, of apt install systemd")
class AnalyzeTest(unittest.TestCase):
    integration = True

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-tests-")))
        service = SERVICE.replace("/opt/indico/.venv/bin/python", sys.executable)
        self.write(service)
        text = DEPLOY.joinpath("indico.socket").read_text()
        self.folder.joinpath("indico.socket").write_text(text)

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
        self.assertEqual(self.security()[0], 0)  # because DynamicUser implies it
        self.write(self.service.read_text().replace("SystemCallFilter=~@privileged", ""))
        self.assertNotEqual(self.security()[0], 0)
