"""The PID file and the commands that go by it, in the test's own process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil

from ...error import StartError
from ...process.control import end, stop
from ...process.pid_file import PIDFile, running
from ...program import Program
from ..sample.server import PROGRAM
from ..server_process import ENGINE
from .in_process import run_main


class PIDFileTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "a.pid"

    def command(self, *flags: str, code: int, program: Program = PROGRAM) -> str:
        """Run the command, which must exit with `code`, and return what it prints."""
        files = ("--pid-file", str(self.path), "--data-dir", str(self.folder))
        got, text = run_main("--port", "0", *files, *flags, program=program)
        self.assertEqual(got, code, text)
        self.assertNotIn("Traceback", text)
        return text


class LockTest(PIDFileTest):
    def test_a_full_disk(self) -> None:
        file = PIDFile(self.path)
        self.assertTrue(file.lock())
        read_only = os.open(file.path, os.O_RDONLY)
        os.dup2(read_only, file.fileno())
        os.close(read_only)
        with self.assertRaisesRegex(StartError, "a.pid can't be written"):
            file.write()
        file.remove()

    def test_the_file_of_another_server(self) -> None:
        first, second = PIDFile(self.path), PIDFile(self.path)
        self.assertTrue(first.lock())
        self.path.unlink()
        self.assertTrue(second.lock())
        first.remove()
        self.assertFalse(PIDFile(self.path).lock())
        second.remove()
        self.assertFalse(self.path.exists())

    def test_one_that_is_removed_meanwhile(self) -> None:
        first = PIDFile(self.path)
        self.assertTrue(first.lock())
        self.assertFalse(PIDFile(self.path).lock())
        self.path.unlink()
        second = PIDFile(self.path)
        self.assertTrue(second.lock())
        os.close(first.fileno())
        self.assertFalse(PIDFile(self.path).lock())
        second.remove()
        self.assertFalse(self.path.exists())

    def test_another_one_is_made_while_it_is_opened(self) -> None:
        self.path.write_text("")
        lock = fcntl.flock

        def make_another(*arguments: int) -> None:
            lock(*arguments)
            if flock.call_count == 1:
                self.path.unlink()
                self.path.write_text("")

        with patch(f"{ENGINE}.process.pid_file.fcntl.flock", side_effect=make_another) as flock:
            self.assertTrue(PIDFile(self.path).lock())
        self.assertEqual(flock.call_count, 2)

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.path)
        for path in (self.path, Path(os.devnull), self.folder):
            self.path = path
            self.assertIn(f"pid_file: {path} can't be written", self.command(code=1))
            self.assertIn("not running", self.command("--status", code=1))

    def test_a_symbolic_link(self) -> None:
        """Another user may have made the link, to a file that the server would overwrite."""
        other = self.folder / "other"
        other.write_text("of another program")
        self.path.symlink_to(other)
        text = self.command("--mongod-binary", "nowhere", code=1)
        self.assertIn(f"pid_file: {self.path} can't be written: it is a symbolic link", text)
        self.assertEqual(other.read_text(), "of another program")

    def test_no_other_user_can_open_it(self) -> None:
        """A lock of another user would keep the server from starting."""
        for mode in (None, 0o644):
            if mode:
                self.path.write_text("a crashed server left this")
                self.path.chmod(mode)
            file = PIDFile(self.path)
            self.assertTrue(file.lock())
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
            file.remove()

    def test_a_folder_that_is_not_there(self) -> None:
        self.path = self.folder / "nowhere" / "a.pid"
        self.assertIn("pid_file: ", self.command("--daemon", code=1))


class RunningTest(PIDFileTest):
    def test_a_command_needs_the_file(self) -> None:
        code, text = run_main("--stop")
        self.assertEqual(code, 1)
        self.assertIn("--stop needs --pid-file", text)

    def test_no_server(self) -> None:
        self.assertIn(f"not running: there is no {self.path}\n", self.command("--status", code=3))
        self.assertIn("not running", self.command("--stop", code=0))
        self.assertIn("not running", self.command("--reload", code=7))

    def test_the_code_of_the_project_is_broken(self) -> None:
        """The project's settings can't be imported, and a flag and a line are unknown here."""
        broken = PROGRAM._replace(settings="no_such_module:Settings", make_app="no_such_module:app")
        config = self.folder / "settings.yaml"
        config.write_text("of_your_own: 1\nservice_name: Broken")
        flags = ("--config", str(config), "--also-yours", "2", "--yours")
        for action, code in (("--status", 3), ("--stop", 0), ("--reload", 7)):
            text = self.command(action, *flags, code=code, program=broken)
            self.assertTrue(text.startswith("Broken: not running"), text)
        with patch.dict(os.environ, {f"{PROGRAM.env_prefix}PORT": "no port"}):
            self.assertEqual(run_main("--status", program=broken)[0], 2)

    def test_a_locked_file_with_another_programs_number(self) -> None:
        with other_program() as other, self.path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            print(other.pid, file=file, flush=True)
            self.command("--stop", code=0)
            text = self.command("--daemon", "--replace", code=1)
            self.assertIn("pid_file: another server runs and holds", text)
            self.assertIsNone(other.poll())

    def test_what_is_no_number(self) -> None:
        self.path.write_text("what?")
        self.command("--status", code=1)
        with self.path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.command("--status", code=1)

    def test_a_process_that_is_not_ours_to_look_into(self) -> None:
        file = PIDFile(self.path)
        self.assertTrue(file.lock())
        file.write()
        us = psutil.Process()
        self.assertEqual(running(self.path), us)
        with patch.object(psutil.Process, "open_files", side_effect=psutil.AccessDenied):
            self.assertEqual(running(self.path), us)
        file.remove()

    def test_the_server_of_another_user(self) -> None:
        file = PIDFile(self.path)
        self.assertTrue(file.lock())
        file.write()
        with (
            patch.object(psutil.Process, "send_signal", side_effect=psutil.AccessDenied),
            self.assertRaisesRegex(StartError, f"process {os.getpid()} is another user's"),
        ):
            end(psutil.Process(), self.path, 10)
        with (
            patch.object(Path, "open", side_effect=PermissionError),
            self.assertRaisesRegex(StartError, "a.pid can't be read"),
        ):
            running(self.path)
        file.remove()


class EndTest(PIDFileTest):
    def test_who_has_ended(self) -> None:
        with subprocess.Popen(["true"]) as child:
            process = psutil.Process(child.pid)
            self.assertTrue(end(process, self.path, 10))  # a zombie until it is reaped
        gone = psutil.NoSuchProcess(1)
        with (
            subprocess.Popen(["sleep", "60"]) as child,
            patch.object(psutil.Process, "status", side_effect=gone),
        ):
            self.assertTrue(end(psutil.Process(child.pid), self.path, 10))

    def test_one_that_takes_too_long(self) -> None:
        said: list[str] = []
        file = PIDFile(self.path)
        self.assertTrue(file.lock())
        file.write()
        with patch.object(psutil.Process, "send_signal"):
            self.assertEqual(stop(self.path, 0.1, said.append), 1)
        file.remove()
        pid = os.getpid()
        self.assertEqual(said, [f"process {pid} still drains after 0.1 s; a second --stop ends it"])


@contextmanager
def other_program() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as other:
        yield other
        other.kill()
