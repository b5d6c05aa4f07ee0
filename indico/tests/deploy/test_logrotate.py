"""`deploy/logrotate`, read and run by logrotate."""

from __future__ import annotations

import fcntl
import getpass
import grp
import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from indico.tests.deploy.programs import DEPLOY, needs, program, read_by
from indico.tests.server_process import until

LOGROTATE = program("logrotate")
WAITS = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: exit(7))
print(flush=True)
signal.pause()
"""


@needs(LOGROTATE, "logrotate, of apt install logrotate")
class LogrotateTest(unittest.TestCase):
    integration = True

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-tests-")))
        self.log = self.folder / "indico.log"
        self.log.write_text("a line\n")
        self.pid_file = self.folder / "indico.pid"
        group = grp.getgrgid(os.getgid()).gr_name
        text = DEPLOY.joinpath("logrotate").read_text()
        for old, new in (
            ("/var/log/indico/", f"{self.folder}/"),
            ("/run/indico/", f"{self.folder}/"),
            ("su indico indico", f"su {getpass.getuser()} {group}"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.file = self.folder / "logrotate.conf"
        self.file.write_text(text)

    def rotate(self, *flags: str) -> None:
        said = read_by(LOGROTATE, "--state", self.folder / "state", *flags, self.file)
        self.assertEqual(said.returncode, 0, said.stdout)
        self.assertNotIn("error", said.stdout)

    def waiting(self) -> subprocess.Popen[bytes]:
        """Start a process that ends with 7 on SIGUSR1, and write its PID file."""
        process = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        self.pid_file.write_text(f"{process.pid}\n")
        return process

    def test_valid(self) -> None:
        self.rotate("--debug")

    def test_signals_the_server(self) -> None:
        process = self.waiting()
        with self.pid_file.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.rotate("--force")
            self.assertEqual(process.wait(30), 7)
        self.assertEqual((self.folder / "indico.log.1").read_text(), "a line\n")

    def test_file_left_by_a_crash(self) -> None:
        process = self.waiting()
        self.rotate("--force")
        process.send_signal(signal.SIGTERM)  # a SIGUSR1 from logrotate would come first
        self.assertEqual(process.wait(30), -signal.SIGTERM)

    def test_no_server(self) -> None:
        self.rotate("--force")
        until(lambda: not self.log.exists())
        self.assertEqual(list(self.folder.glob("*.pid")), [])
