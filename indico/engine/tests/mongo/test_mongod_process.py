"""The `mongod` program, and the end of its process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from typing import Any
from unittest import TestCase, skipUnless
from unittest.mock import patch

import psutil

from ...error import StartError
from ...mongo import mongod_binary, mongod_process
from ...mongo.mongod_binary import environment, find_binary
from ...mongo.mongod_process import Launcher
from ..server_process import until
from .test_embedded import EmbeddedTest


class ProcessEndTest(TestCase):
    def test_a_child_whose_threads_are_ending(self) -> None:
        """The first thread is a zombie already, and the others still hold the sockets."""
        code = (
            "import ctypes, threading, time;"
            "threading.Thread(target=time.sleep, args=(60,)).start();"
            "ctypes.CDLL(None).pthread_exit(None)"
        )
        child = subprocess.Popen([sys.executable, "-c", code])
        self.addCleanup(child.wait)
        process = psutil.Process(child.pid)
        until(lambda: process.status() == psutil.STATUS_ZOMBIE)
        self.assertTrue(mongod_process.alive(process))
        child.kill()
        until(lambda: not mongod_process.alive(process))


class PortTest(TestCase):
    def test_of_this_process_and_of_others(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            with socket.create_server(("127.0.0.1", 0)) as server:
                port = server.getsockname()[1]
                self.assertTrue(mongod_process.has_port(os.getpid(), port))
                self.assertFalse(mongod_process.has_port(child.pid, port))
            self.assertFalse(mongod_process.has_port(os.getpid(), port))
            child.kill()
            until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
            self.assertFalse(mongod_process.has_port(child.pid, port))
        self.assertFalse(mongod_process.has_port(child.pid, port))


class StartTest(EmbeddedTest):
    def test_a_signal_before_the_start_returns(self) -> None:
        start = subprocess.Popen
        started: list[subprocess.Popen[bytes]] = []

        def interrupted(*arguments: Any, **options: Any) -> Any:
            if str(binary) not in arguments[0]:  # the search for libcurl
                return start(*arguments, **options)
            started.append(start(*arguments, **options))
            self.addCleanup(started[0].wait)
            self.addCleanup(started[0].kill)
            raise KeyboardInterrupt

        binary = self.program("exec sleep 60")
        with (
            patch.object(subprocess, "Popen", interrupted),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.make(binary).start()
        self.assertIsNotNone(started[0].poll())

    def test_another_program_has_the_port(self) -> None:
        """The port answers at once, while `mongod` needs a moment to find it taken."""
        folder = self.folder / "data"
        folder.mkdir()
        launcher = Launcher(folder, self.folder / "log")
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with launcher.launched(find_binary(None), port, time.monotonic() + 60) as child:
                self.assertIsNone(child)

    def test_apple_silicon_without_rosetta(self) -> None:
        error = OSError(86, "Bad CPU type in executable")
        with (
            patch.object(subprocess, "Popen", side_effect=error),
            self.assertRaisesRegex(StartError, "Bad CPU .*softwareupdate --install-rosetta"),
        ):
            self.make(self.program("")).start()


class BinaryTest(EmbeddedTest):
    def test_setting(self) -> None:
        binary = self.program("")
        self.assertEqual(find_binary(binary), binary)
        for wrong in (self.folder, self.folder / "nowhere", Path(__file__)):
            with self.assertRaisesRegex(StartError, "mongod_binary: .* is not a program"):
                find_binary(wrong)

    def test_path_comes_before_the_wheel(self) -> None:
        (self.folder / "mongod").symlink_to(self.program(""))
        with patch.dict(os.environ, {"PATH": str(self.folder)}):
            self.assertEqual(find_binary(None), self.folder / "mongod")

    def test_wheel(self) -> None:
        with patch.dict(os.environ, {"PATH": ""}):
            self.assertTrue(os.access(find_binary(None), os.X_OK))

    def test_nowhere(self) -> None:
        cases = [
            patch("importlib.util.find_spec", return_value=None),
            patch("importlib.util.find_spec", side_effect=ModuleNotFoundError),
            patch("shutil.which", return_value=None),
        ]
        for case in cases:
            with (
                patch.dict(os.environ, {"PATH": ""}),
                case,
                self.assertRaisesRegex(StartError, "mongod_binary.*mongodb_uri"),
            ):
                find_binary(None)


@skipUnless(sys.platform == "linux", "only here mongod needs a libcurl of the system")
class LibcurlTest(EmbeddedTest):
    """A system without libcurl, as slim containers are."""

    def setUp(self) -> None:
        super().setUp()
        without = patch.object(mongod_binary, "find_library", return_value=None)
        self.looked_up = self.enterContext(without)

    def test_mongod_runs_with_the_one_of_pycurl(self) -> None:
        self.embedded.start()
        self.looked_up.assert_called_with("curl")
        (mongod,) = self.mongods()
        libraries = {file.path for file in mongod.memory_maps()}
        (libcurl,) = [path for path in libraries if "libcurl" in path]
        self.assertRegex(libcurl, r"/pycurl\.libs/libcurl-\w+\.so\.4")

    def test_the_path_of_the_person_comes_first(self) -> None:
        with patch.dict(os.environ, {"LD_LIBRARY_PATH": "/theirs"}), environment() as variables:
            theirs, link, libraries = variables["LD_LIBRARY_PATH"].split(os.pathsep)
            self.assertEqual(theirs, "/theirs")
            self.assertEqual(Path(link, "libcurl.so.4").resolve().parent, Path(libraries).resolve())
        self.assertFalse(os.path.exists(link))

    def test_no_pycurl(self) -> None:
        for folders in ([], [self.folder]):
            with (
                patch.object(mongod_binary, "_folders", return_value=folders),
                environment() as variables,
            ):
                self.assertEqual(variables, dict(os.environ))


class SignalTest(TestCase):
    integration = True

    def test_in_the_middle_of_a_poll(self) -> None:
        """`Popen` then keeps its lock, and can wait for nothing."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        binary = folder / "mongod"
        binary.write_text("#!/bin/sh\nexec sleep 60\n")
        binary.chmod(0o700)
        children: list[subprocess.Popen[bytes]] = []

        def interrupted(_: Launcher, child: Any, *args: Any) -> None:
            children.append(child)
            child._waitpid_lock.acquire()
            raise SystemExit

        with (
            patch.object(Launcher, "_wait_until_it_listens", interrupted),
            self.assertRaises(SystemExit),
            Launcher(folder, folder / "log").launched(binary, 1, inf),
        ):
            pass
        (child,) = children
        self.assertFalse(psutil.pid_exists(child.pid))
        child._waitpid_lock.release()  # type: ignore[attr-defined]
        child.wait()
