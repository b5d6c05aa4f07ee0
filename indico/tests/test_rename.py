"""A project of another name, with the same engine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import indico
from indico.tests.copy_test import HALF_WRITTEN
from indico.tests.server_process import ROOT, ProcessTest, ServerProcess
from indico.tests.server_test import mongodb_uri

OLD, NEW = indico.__name__, "marmalade"


def rename(root: Path) -> None:
    """Replace the name in the project at `root`, in all that is not the engine's."""
    engine = root / OLD / "engine"
    spellings = [(OLD, NEW), (OLD.upper(), NEW.upper()), (OLD.title(), NEW.title())]
    for path in sorted(root.rglob("*"), reverse=True):  # files before their folder
        if engine not in path.parents:
            if path.is_file():
                text = path.read_text()
                for old, new in spellings:
                    text = text.replace(old, new)
                path.write_text(text)
            path.rename(path.with_name(path.name.replace(OLD, NEW)))


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file by its path."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".pyc" not in path.name]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class RenamedServer(ServerProcess):
    server = f"{NEW}.server"


class RenameTest(ProcessTest):
    copy: Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.copy = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-")))
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / OLD, cls.copy / OLD, ignore=compiled)
        for folder in (ROOT / OLD / "engine").rglob("__pycache__"):  # it is valid in the copy
            others = shutil.ignore_patterns(HALF_WRITTEN)
            shutil.copytree(folder, cls.copy / folder.relative_to(ROOT), ignore=others)
        rename(cls.copy)

    def test_engine_is_the_same(self) -> None:
        self.assertEqual(contents(self.copy / NEW / "engine"), contents(ROOT / OLD / "engine"))

    def test_imports(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "unittest", f"{NEW}.tests.test_imports.YoursTest"],
            cwd=self.copy,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_server(self) -> None:
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_rename")
        server = RenamedServer(*flags, root=self.copy)
        self.addCleanup(server.__exit__)
        server.wait_until_it_listens()
        self.assertEqual(server.call("/healthz")[0], 200)
        self.assertEqual(server.call("/user/get")[0], 401)
        url = f"http://127.0.0.1:{server.port}/metrics"
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
        self.assertIn(f"{NEW}_build_info", text)
        self.assertNotIn(OLD, text + server.printed())
        self.assertEqual(server.stop(), 0)
