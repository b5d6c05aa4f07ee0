"""The clients, compiled strictly and run against a server, with the programs of docs/clients.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

from clients import __main__ as made
from indico.tests.deploy.programs import needs
from indico.tests.server_process import ROOT, ServerProcess
from indico.tests.test_readme import BLOCK

BLOCKS = dict(re.findall(BLOCK, (ROOT / "docs/clients.md").read_text(), re.S))
PYTHON = made.MADE / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
COMPILER = made.TYPESCRIPT / "node_modules/typescript/bin/tsc"
FRIENDS = ["Barbara", "Edsger", "Frances"]
PRINTED = ["Grace", "invalid_argument password"]
PRINTED += [" ".join(FRIENDS[:2]), "more"]


class ProgramTest(TestCase):
    """A server with an account for each program."""

    server: ServerProcess

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-"))
        cls.server = cls.enterClassContext(ServerProcess("--data-dir", folder, "--debug"))
        cls.server.wait_until_it_listens()

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        account = {"email": "ada@example.com", "password": "correct horse"}
        token = self.server.call("/auth/register", account)[1]["token"]
        self.addCleanup(self.server.call, "/user/delete", {"password": "correct horse"}, token)
        for friend in FRIENDS:
            self.server.call("/address/create", {"entry": {"full_name": friend}}, token)

    def program(self, language: str, folder: Path, name: str) -> Path:
        """Write the program of a language, which calls this server."""
        url = f"http://127.0.0.1:{self.server.port}"
        file = folder / name
        file.write_text(BLOCKS[language].replace("http://localhost:8888", url))
        return file

    def run_program(self, *command: str | Path) -> list[str]:
        """Return the lines that a program prints."""
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.splitlines()

    @needs(made.PYTHON.exists(), "python3 run.py clients")
    def test_python(self) -> None:
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.run_program(PYTHON, *pip, "--no-deps", "--force-reinstall", made.PYTHON)
        program = self.program("python", self.folder, "program.py")
        mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", PYTHON)
        self.run_program(*mypy, program)
        self.assertEqual(self.run_program(PYTHON, program), PRINTED)

    @needs(COMPILER.exists() and shutil.which("node"), "Node.js, npm, and python3 run.py clients")
    def test_typescript(self) -> None:
        program = self.program("typescript", made.TYPESCRIPT, "program.ts")
        self.addCleanup(program.unlink)
        self.run_program("node", COMPILER, "--project", made.TYPESCRIPT, "--outDir", self.folder)
        (self.folder / "node_modules").symlink_to(made.TYPESCRIPT / "node_modules")
        (self.folder / "package.json").write_text('{"type": "module"}')
        self.assertEqual(self.run_program("node", "program.js"), PRINTED)


class NoNodeTest(TestCase):
    def test_message(self) -> None:
        with patch.dict(os.environ, {"PATH": ""}):
            self.assertIn("Node.js or its npm is missing", made.make_typescript())
