"""The commands of docs/operating.md, typed as they stand there."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from indico.engine.process.pid_file import running
from indico.tests.server_process import ROOT, ProcessTest, ServerProcess, call, until
from indico.tests.server_test import PASSWORD

PAGE = (ROOT / "docs" / "operating.md").read_text()
ADA = {"email": "ada@example.com", "password": PASSWORD}


class OperatingTest(ProcessTest):
    seconds = 20

    def setUp(self) -> None:
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.addCleanup(self.end_server)
        if hasattr(os, "sched_setaffinity"):  # one core, so that --processes 0 is one worker
            cores = os.sched_getaffinity(0)
            self.addCleanup(os.sched_setaffinity, 0, cores)
            os.sched_setaffinity(0, {min(cores)})

    def end_server(self, how: signal.Signals = signal.SIGKILL) -> None:
        for file in (self.folder / "run").glob("*.pid"):
            if process := running(file):
                process.send_signal(how)

    def commands(self, section: str) -> list[str]:
        """Return the lines of a section that a reader can type unchanged."""
        text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
        blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
        lines = [line for block in blocks for line in block.splitlines()]
        return [line for line in lines if not line.startswith(("mongodump", "mongorestore"))]

    def type(self, line: str) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        surroundings = {"PATH": path, "PYTHONPATH": str(ROOT), "INDICO_PORT": str(self.port)}
        done = subprocess.run(
            line,
            shell=True,
            cwd=self.folder,
            env=os.environ | surroundings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")

    def test_a_daemon_and_its_backup(self) -> None:
        for line in self.commands("Processes"):
            self.type(line)
        self.assertEqual(call(self.port, "/auth/register", ADA)[0], 201)
        for line in self.commands("Back up and restore"):
            self.type(line)
        self.assertEqual(call(self.port, "/auth/login", ADA)[0], 200)
        copy = ServerProcess("--data-dir", str(self.folder / "backup"))
        self.addCleanup(copy.__exit__)
        copy.wait_until_it_listens()
        self.assertEqual(copy.call("/auth/login", ADA)[0], 200)
        self.assertEqual(copy.stop(), 0)
        self.end_server(signal.SIGTERM)
        until(lambda: not self.mongods())
