"""The whole doctor, as a person or a script runs it."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import pty
import subprocess
import sys
import threading
import venv
from typing import Any
from unittest.mock import patch

from ...doctor.command import main
from ...doctor.finding import examine, ok
from ...settings import env_name
from ..environment import measured
from ..sample.app import Settings
from ..sample.server import PROGRAM
from ..server_process import DOCTOR, ENGINE, ROOT
from ..server_test import mongodb_uri
from .doctor_test import DoctorTest

ALWAYS = {
    "python",
    "virtual environment",
    "packages",
    "settings",
    "port",
    "file limit",
    "disk space",
    "folders",
    "proxies",
    "secrets",
    "mongodb",
}
OF_MONGODB = {
    f"mongodb {name}"
    for name in (
        *("version", "replica set", "indexes", "documents", "write concern", "clock"),
        "migrations",
    )
}


class CommandTest(DoctorTest):
    def test_no_fault(self) -> None:
        done = self.run_doctor("--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(set(self.worst(done.stdout, 0)), ALWAYS)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_with_mongodb(self) -> None:
        uri = {env_name(Settings, "mongodb_uri"): mongodb_uri()}
        states = self.states(0, "--mongodb-driver", "pymongo", **uri)
        self.assertEqual(set(states), ALWAYS - {"disk space", "folders"} | OF_MONGODB)

    def test_no_mongodb(self) -> None:
        uri = {env_name(Settings, "mongodb_uri"): "mongodb://ada:hunter2@127.0.0.1:1/"}
        timeout = ("--mongodb-timeout-seconds", "0.2")
        states = self.states(1, *timeout, **uri)
        self.assertEqual(states["mongodb"], "fault")
        self.assertEqual(set(states) & OF_MONGODB, set())
        code, printed = self.examine(*timeout, **uri)
        self.assertEqual(code, 1)
        self.assertNotIn("hunter2", printed)
        self.assertRegex(printed, r"\nfault    mongodb               MongoDB does not answer \(")
        self.assertNotIn("\x1b", printed)
        self.assertLessEqual(max(map(len, printed.splitlines())), 100)

    def test_wrong_settings(self) -> None:
        states = self.states(1, "--port", "x", "--log-level", "y")
        self.assertEqual(states["settings"], "fault")
        self.assertNotIn("port", states)
        states = self.states(1, "--environment", "production", "--config", "nowhere.yaml")
        self.assertEqual(states["settings"], "fault")
        self.assertEqual(self.states(1, "--private-key", "key.pem")["settings"], "fault")

    def test_a_variable_that_is_no_setting(self) -> None:
        states = self.states(0, **{env_name(Settings, "prot"): "1"})
        self.assertEqual(states["settings"], "warning")

    def test_wrong_flags(self) -> None:
        code, printed, wrong = self.refused("--prot", "1")
        self.assertEqual((code, printed), (2, ""))
        self.assertIn(f"{DOCTOR}: error: there is no such flag: --prot\n", wrong)
        _, printed, _ = self.refused("--help")
        self.assertIn(f"[the flags of python -m {PROGRAM.server}]", printed)

    def refused(self, *flags: str) -> tuple[Any, str, str]:
        """Return the exit code, the output and the errors of a doctor that only checks flags."""
        printed, wrong = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(wrong),
            self.assertRaises(SystemExit) as left,
        ):
            main(PROGRAM, flags)
        return left.exception.code, printed.getvalue(), wrong.getvalue()

    def test_colour_in_a_terminal_only(self) -> None:
        self.assertIn("\x1b[32mok\x1b[0m       python", self.in_terminal())
        self.assertNotIn("\x1b", self.in_terminal(NO_COLOR="1"))

    def in_terminal(self, **environment: str) -> str:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with (
            open(theirs, "w") as terminal,
            contextlib.redirect_stdout(terminal),
            patch.dict(os.environ, environment),
        ):
            self.assertEqual(main(PROGRAM, ["--port", "x"]), 1)
            terminal.flush()
            return os.read(ours, 65536).decode()


class BareTest(DoctorTest):
    """A machine without the packages, or with an old Python."""

    def test_nothing_installed(self) -> None:
        venv.create(self.folder / "bare", symlinks=True)
        done = subprocess.run(
            [self.folder / "bare/bin/python", "-m", DOCTOR],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        self.assertRegex(done.stdout, r"fault    packages +packaging is not installed")
        self.assertRegex(done.stdout, rf"fault    the rest +{PROGRAM.package} can't be")

    def test_a_package_is_missing(self) -> None:
        code = (
            "import runpy, sys\n"
            "sys.modules['tornado'] = None\n"
            "sys.argv[1:] = ['--json']\n"
            f"runpy.run_module('{DOCTOR}', run_name='__main__')"
        )
        command = [sys.executable, "-c", code]
        with measured():
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertIn("can't be imported (ModuleNotFoundError", done.stdout)

    def test_an_old_python_can_read_it(self) -> None:
        engine = ROOT / ENGINE.replace(".", "/")
        checked = ("__init__", "command", "finding", "python")
        for file in (engine / "program.py", *(engine / f"doctor/{n}.py" for n in checked)):
            for node in ast.parse(file.read_text(), feature_version=(3, 8)).body:
                if isinstance(node, ast.ImportFrom) and node.level:
                    self.assertIn(node.module, ("finding", "python", "program"))
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    names = [node.module] if isinstance(node, ast.ImportFrom) else node.names
                    for named in names:
                        top = str(getattr(named, "name", named)).split(".")[0]
                        self.assertIn(top, sys.stdlib_module_names)


class ExamineTest(DoctorTest):
    def test_a_crash_is_a_fault_of_its_own(self) -> None:
        def some_check(password: str) -> list[None]:
            raise ValueError(password)

        (finding,) = examine(some_check, "hunter2")  # type: ignore[arg-type]
        self.assertEqual((finding.name, finding.state), ("some check", "fault"))
        self.assertIn("(ValueError)", finding.seen)
        self.assertNotIn("hunter2", finding.seen)

    def test_one_that_hangs(self) -> None:
        event = threading.Event()
        self.addCleanup(event.set)
        (finding,) = examine(lambda: [ok(str(event.wait()))], seconds=0.05)
        self.assertEqual((finding.state, finding.seen), ("fault", "No answer within 0.05 s."))
