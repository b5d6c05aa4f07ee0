"""`run.py`: the tasks, and the environment that it makes for them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

from indico.tests.server_process import ROOT

SERVER = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('flags', sys.argv[1:], sys.prefix, flush=True)
if '--wait' in sys.argv: signal.pause()
"""
# The module `venv`, which links the pip of the tests' own environment, if there is one. The module
# `ensurepip` needs 4 s of processor to install and compile another.
LINK = """
import importlib.util, pathlib, sys

folder = sys.path.pop(0)
del sys.modules["venv"]
import venv
sys.path.insert(0, folder)

def link(_, context):
    (packages,) = pathlib.Path(context.env_dir).glob("lib/*/site-packages")
    for part in pathlib.Path(found.origin).parents[1].glob("pip*"):
        (packages / part.name).symlink_to(part)

if found := importlib.util.find_spec("pip"):
    venv.EnvBuilder._setup_pip = link
"""
DOCTOR = "import sys\nprint(sys.argv[1:], sys.prefix)\nsys.exit(1)\n"
# Stands in for the module `venv` once there is an environment.
COPY = """
import shutil

def create(folder, with_pip, clear):
    assert with_pip and clear
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree({template!r}, folder, symlinks=True, ignore=shutil.ignore_patterns("lib*"))
    (folder / "lib").symlink_to({template!r} + "/lib")
"""


FILES = ("req.txt", "req-docs.txt", "req-test.txt", "req-check.txt", "req-browser.txt")
# Stands in for the test runner, ruff and mypy.
TOOL = "import sys\nprint(sys.argv)\n"
# Stands in for pip where all is there that is required.
PIP = "import sys\nassert sys.argv[1] == 'install', sys.argv\n"
NO_PIP = "import sys\nsys.exit(1)\n"


def make_project(folder: Path) -> None:
    """Write a project with nothing to install, whose programs only print."""
    shutil.copy(ROOT / "run.py", folder)
    for file in FILES:
        (folder / file).write_text("# nothing\n")
    for program, text in (
        ("indico/server.py", SERVER),
        ("indico/doctor.py", DOCTOR),
        ("indico/engine/tests/runner.py", TOOL),
        ("ruff.py", TOOL),
        ("mypy.py", TOOL),
    ):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).write_text(text)


def run_task(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


class RunTest(TestCase):
    integration = True
    seconds = 20
    template: Path
    examined: subprocess.CompletedProcess[str]
    first: subprocess.CompletedProcess[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-")))
        make_project(cls.template)
        (cls.template / "venv.py").write_text(LINK)
        cls.examined = run_task(cls.template, "doctor", "--json")
        cls.first = run_task(cls.template, "serve", "--port", "1")

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        make_project(self.folder)
        (self.folder / "pip.py").write_text(PIP)
        (self.folder / "venv.py").write_text(COPY.format(template=str(self.template / ".venv")))

    def test_usage(self) -> None:
        for arguments, code in (([], 0), (["--help"], 0), (["nosuch"], 2)):
            done = run_task(self.folder, *arguments)
            self.assertEqual(done.returncode, code)
            self.assertEqual(done.stderr, "run.py: there is no task nosuch\n" if code else "")
            for task in [
                "serve",
                "doctor",
                "migrate",
                "jobs",
                "seed",
                "test",
                "lint",
                "typecheck",
                "check",
                "fuzz",
                "api",
                "clients",
                "screenshots",
                "bench",
            ]:
                self.assertIn(f"\n  {task} ", done.stdout)

    def test_the_first_time(self) -> None:
        served = f"flags ['--port', '1'] {self.template / '.venv'}\n"
        said = "Installing req.txt and req-docs.txt into .venv"
        self.assertEqual(self.first.stdout.splitlines()[0][: len(said)], said)
        self.assertTrue(self.first.stdout.endswith(served), self.first)
        self.assertEqual(run_task(self.template, "serve", "--port", "1").stdout, served)

    def serve(self, said: str) -> None:
        """Serve; `said` is the first word of the output."""
        done = run_task(self.folder, "serve")
        self.assertTrue(done.stdout.startswith(said), done)
        self.assertTrue(done.stdout.endswith(f"flags [] {self.folder / '.venv'}\n"), done)

    def require(self, text: str, file: str = "req.txt") -> None:
        (self.folder / file).write_text(text)

    def test_changed_requirements(self) -> None:
        """pip installs into the environment that is there."""
        self.serve("Installing")
        (self.folder / ".venv/kept").touch()
        self.require("pip\n")
        self.serve("Installing")
        for text in ("# why\npip # here\n\n", "  pip\n", "# nothing\n"):
            self.require(text)
            self.serve("flags")
        self.assertTrue((self.folder / ".venv/kept").exists())

    def test_each_task_installs_what_it_needs(self) -> None:
        for file in FILES:
            self.require("pip\n", file)
        for task, files in (
            ("serve", FILES[:2]),
            ("test", FILES[:3]),
            ("typecheck", FILES[:4]),
            ("test --suite browser", (*FILES[:3], FILES[4])),
            ("lint", ()),
            ("check", ()),
            ("test", ()),
            ("serve", ()),
        ):
            done = run_task(self.folder, *task.split())
            self.assertEqual(done.returncode, 0, done)
            said = re.findall("Installing (.*) into .venv", done.stdout)
            self.assertEqual(said, [" and ".join(files)] if files else [], done)

    def test_doctor_installs_nothing(self) -> None:
        self.check_doctor(self.examined, sys.prefix)
        self.check_doctor(run_task(self.template, "doctor", "--json"), str(self.template / ".venv"))

    def check_doctor(self, done: subprocess.CompletedProcess[str], prefix: str) -> None:
        self.assertEqual((done.stdout, done.returncode), (f"['--json'] {prefix}\n", 1))

    def test_a_signal_reaches_the_server(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "run.py", "serve", "--wait"],
            cwd=self.template,
            stdout=subprocess.PIPE,
        )
        assert process.stdout
        with process.stdout:
            self.assertIn(b"--wait", process.stdout.readline())
        process.terminate()
        self.assertEqual(process.wait(10), 7)

    def test_what_can_not_be_installed(self) -> None:
        """The environment stays as it was, and runs again once the requirements are right."""
        self.serve("Installing")
        (self.folder / ".venv/kept").touch()
        (self.folder / "pip.py").unlink()
        self.require("-r nowhere.txt\n")
        for _ in range(2):
            done = run_task(self.folder, "serve")
            self.assertEqual(done.returncode, 1)
            self.assertIn("pip could not install req.txt and req-docs.txt", done.stderr)
            self.assertNotIn("flags", done.stdout)
            (self.folder / "pip.py").write_text(NO_PIP)
        (self.folder / "pip.py").write_text(PIP)
        self.require("pip\n")
        self.serve("Installing")
        self.serve("flags")
        self.assertTrue((self.folder / ".venv/kept").exists())

    def test_a_link_to_an_environment(self) -> None:
        """The environment behind the link is used, and never made anew."""
        self.serve("Installing")
        shared = (self.folder / ".venv").rename(self.folder / "shared")
        (self.folder / ".venv").symlink_to(shared)
        self.require("pip\n")
        self.serve("Installing")
        (shared / "bin/python").unlink()
        done = run_task(self.folder, "serve")
        self.assertEqual(done.returncode, 1)
        self.assertIn(".venv is a link to a folder without a usable Python", done.stderr)
        self.assertTrue((shared / "pyvenv.cfg").exists())

    def test_another_python(self) -> None:
        """An upgrade of the system took the environment's Python away, or changed it."""
        python = self.folder / ".venv/bin/python"
        for other in ("/nowhere", "/bin/false"):
            self.serve("Installing")
            python.unlink()
            python.symlink_to(other)
        self.serve("Installing")
        self.serve("flags")
