"""The daemon, its PID file, and the commands that go by it."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil

from ...error import StartError
from ...process.control import end
from ...process.pid_file import PIDFile, running
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, until
from ..server_test import mongodb_uri


class DaemonTest(ProcessTest):
    """A daemon in our folder, whose PID file has its port in its name."""

    def setUp(self) -> None:
        super().setUp()
        self.pid_file = self.folder / "server-%(port)s.pid"
        self.log_file = self.folder / "server.log"
        self.addCleanup(self.end_daemons)
        self.port = 0

    def end_daemons(self) -> None:
        for file in self.folder.glob("*.pid"):
            if process := running(file):
                process.kill()
                until(lambda process=process: not process.is_running())  # type: ignore[misc]

    def run_server(self, *flags: str, code: int = 0) -> str:
        """What it prints until it leaves with this code."""
        settings = ("--port", str(self.port), "--mongodb-uri", mongodb_uri())
        files = ("--pid-file", str(self.pid_file), "--log-file", str(self.log_file))
        done = subprocess.run(
            [sys.executable, "-m", PROGRAM.server, *settings, *files, *flags],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, text)
        self.assertNotIn("Traceback", text)
        return text

    def start_daemon(self, *flags: str) -> int:
        """Its process id, as it says."""
        text = self.run_server("--daemon", *flags)
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+) \(process (\d+), 1 worker\)", text)
        assert found, text
        self.port = int(found[1])
        return int(found[2])

    def file(self) -> Path:
        return Path(str(self.pid_file).replace("%(port)s", str(self.port)))

    def ask(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return client.recv(1000)


class LifeTest(DaemonTest):
    def test_from_start_to_stop(self) -> None:
        pid = self.start_daemon()
        process = psutil.Process(pid)
        self.assertNotEqual(process.ppid(), os.getpid())
        self.assertNotEqual(os.getsid(pid), os.getsid(0))
        self.assertEqual(process.cwd(), str(ROOT))
        self.assertIn(b"200 OK", self.ask())
        self.assertEqual(self.file().read_text(), f"{pid}\n")
        self.assertEqual(self.run_server("--status"), f"sample: process {pid} runs\n")
        self.assertIn(f"process {pid} has ended", self.run_server("--stop"))
        until(lambda: not process.is_running())  # until then it is a zombie at most
        self.assertFalse(self.file().exists())
        self.assertIn("not running", self.run_server("--status", code=3))
        self.assertIn("not running", self.run_server("--stop"))
        self.assertIn("not running", self.run_server("--reload", code=7))
        self.assertIn("stopping, once", self.log_file.read_text())

    def test_its_streams_are_closed(self) -> None:
        """As some that start it by themselves leave them."""
        self.pid_file = self.folder / "a.pid"
        command = f"{sys.executable} -m {PROGRAM.server} --pid-file {self.pid_file} --port 0"
        command += f" --mongodb-uri '{mongodb_uri()}' --log-file {self.log_file}"
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            start = f"{command} --daemon {closed}"
            subprocess.run(start, shell=True, cwd=ROOT, check=True, capture_output=True)
            (process,) = filter(None, [running(self.pid_file)])
            (listening,) = [c for c in process.net_connections() if c.status == "LISTEN"]
            self.port = listening.laddr.port
            self.assertIn(b"200 OK", self.ask())
            stop = f"{command} --stop {closed}"
            subprocess.run(stop, shell=True, cwd=ROOT, check=True, capture_output=True)

    def test_nothing_of_it_holds_the_terminal(self) -> None:
        """Who starts it may wait until all that it prints is closed, as `run_server` does."""
        self.log_file = Path(os.devnull)
        self.start_daemon()
        self.assertIn(b"200 OK", self.ask())
        self.run_server("--stop")

    def test_without_a_log_file_its_log_goes_nowhere(self) -> None:
        flags = ["--port", "0", "--mongodb-uri", mongodb_uri(), "--daemon"]
        flags += ["--pid-file", str(self.folder / "a.pid")]
        command = [sys.executable, "-m", PROGRAM.server, *flags]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        (process,) = filter(None, [running(self.folder / "a.pid")])
        self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/2"), os.devnull)
        subprocess.run([*command, "--stop"], cwd=ROOT, check=True, capture_output=True)

    def test_what_goes_wrong_is_told_before_it_goes(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.port = taken.getsockname()[1]
            self.assertIn("port: can't listen on", self.run_server("--daemon", code=1))
            self.assertFalse(self.file().exists())
        text = self.run_server("--daemon", "--mongodb-uri", "mongodb://127.0.0.1:1/", code=1)
        self.assertIn("MongoDB does not answer", text)
        self.assertFalse(self.file().exists())

    def test_files_that_can_not_be_written(self) -> None:
        self.pid_file = self.folder / "nowhere" / "a.pid"
        self.assertIn("pid_file: ", self.run_server("--daemon", code=1))
        self.pid_file = self.folder / "a.pid"
        self.log_file = self.folder / "nowhere" / "a.log"
        self.assertIn("log_file: ", self.run_server("--daemon", code=1))

    def test_a_command_needs_the_file(self) -> None:
        command = [sys.executable, "-m", PROGRAM.server, "--stop"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--stop needs --pid-file", done.stderr)

    def test_one_that_drains_for_long(self) -> None:
        self.start_daemon()
        with socket.create_connection(("127.0.0.1", self.port)) as held:
            held.sendall(b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
            until(lambda: b"200 OK" in self.ask())
            code = (
                f"import sys; from {ENGINE}.process import command, control; "
                f"from {PROGRAM.server} import PROGRAM; control.STOP_SECONDS = 0; "
                "sys.exit(command.main(PROGRAM, sys.argv[1:]))"
            )
            flags = ["--port", str(self.port), "--pid-file", str(self.pid_file)]
            done = subprocess.run(
                [sys.executable, "-c", code, *flags, "--drain-seconds", "0.5", "--stop"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn("still drains after 0.5 s", done.stdout)
            self.run_server("--stop")  # a second one


class WaitTest(DaemonTest):
    def test_who_waits_for_it_goes(self) -> None:
        self.pid_file = self.folder / "a.pid"
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            command = [sys.executable, "-m", PROGRAM.server, "--daemon", "--port", "0"]
            command += ["--data-dir", str(self.folder), "--pid-file", str(self.pid_file)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as waits:
                until(lambda: running(self.pid_file))
                waits.send_signal(name)
                self.assertEqual(waits.wait(20), -name)
            self.assertTrue(running(self.pid_file))
            subprocess.run([*command, "--stop"], cwd=ROOT, check=True, capture_output=True)
            self.assertEqual(self.mongods(), [])


class ReloadTest(DaemonTest):
    def test_it_waits_for_the_new_workers(self) -> None:
        settings = self.folder / "settings.yaml"
        settings.write_text("{}")
        pid = self.start_daemon("--config", str(settings))
        (old,) = psutil.Process(pid).children()
        for _ in range(2):
            text = self.run_server("--reload")
            self.assertEqual(text, f"sample: process {pid} has new workers\n")
            self.assertIn(b"200 OK", self.ask())
        until(lambda: not old.is_running())
        for _ in range(2):
            settings.write_text("max_body_bytes: no idea")
            self.assertIn("could not get new workers", self.run_server("--reload", code=1))
        log = self.log_file.read_text()
        self.assertIn("not reloaded, the old workers go on: max_body_bytes", log)
        self.assertIn(b"200 OK", self.ask())
        settings.write_text("{}")
        self.run_server("--reload")
        self.run_server("--stop")

    def test_it_dies_meanwhile(self) -> None:
        pid = self.start_daemon()
        os.kill(pid, signal.SIGSTOP)
        command = [sys.executable, "-m", PROGRAM.server, "--pid-file", str(self.file())]
        with subprocess.Popen([*command, "--reload"], cwd=ROOT, stdout=subprocess.PIPE) as reload:
            until(lambda: _pending(pid) & 1 << (signal.SIGHUP - 1))
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(reload.wait(20), 1)


def _pending(pid: int) -> int:
    """The signals that a process has got and not seen yet."""
    (line,) = re.findall(r"^ShdPnd:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(line, 16)


class ForegroundTest(DaemonTest):
    def test_in_a_terminal(self) -> None:
        flags = ("--mongodb-uri", mongodb_uri(), "--pid-file", str(self.pid_file))
        server = self.serve(*flags)
        self.port = server.port
        self.assertEqual(self.file().read_text(), f"{server.process.pid}\n")
        self.run_server("--stop")
        self.assertEqual(server.wait(), 0)
        self.assertFalse(self.file().exists())


class SecondTest(DaemonTest):
    def test_it_is_refused(self) -> None:
        pid = self.start_daemon()
        for flags in ((), ("--daemon",)):
            text = self.run_server(*flags, code=1)
            self.assertIn(f"pid_file: process {pid} runs and holds {self.file()}", text)
            self.assertIn("--replace", text)
        self.assertEqual(self.file().read_text(), f"{pid}\n")
        self.assertIn(b"200 OK", self.ask())
        self.run_server("--stop")

    def test_it_replaces_the_first(self) -> None:
        first = psutil.Process(self.start_daemon())
        second = self.start_daemon("--replace")
        until(lambda: not first.is_running())
        self.assertEqual(self.file().read_text(), f"{second}\n")
        self.assertIn(b"200 OK", self.ask())
        self.assertIn("stopping, once", self.log_file.read_text())  # the first one has drained
        self.run_server("--stop")

    def test_there_is_none_to_replace(self) -> None:
        self.start_daemon("--replace")
        self.run_server("--stop")


class StaleTest(DaemonTest):
    def test_a_crash_leaves_it(self) -> None:
        process = psutil.Process(self.start_daemon())
        workers = process.children()
        process.kill()
        until(lambda: not any(one.is_running() for one in (process, *workers)))
        self.assertIn("not running, but it left", self.run_server("--status", code=1))
        second = self.start_daemon()
        self.assertEqual(self.file().read_text(), f"{second}\n")
        self.run_server("--stop")

    def test_a_number_that_is_another_programs_now(self) -> None:
        self.pid_file = self.folder / "a.pid"
        with self.other_program() as other:
            self.pid_file.write_text(f"{other.pid}\n")
            self.run_server("--stop")
            self.run_server("--reload", code=7)
            self.run_server("--status", code=1)
            self.start_daemon("--replace")
            self.run_server("--stop")
            self.assertIsNone(other.poll())

    def test_a_locked_file_with_another_programs_number(self) -> None:
        self.pid_file = self.folder / "a.pid"
        with self.other_program() as other, self.pid_file.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            print(other.pid, file=file, flush=True)
            self.run_server("--stop")
            text = self.run_server("--daemon", "--replace", code=1)
            self.assertIn("pid_file: another server runs and holds", text)
            self.assertIsNone(other.poll())

    @contextmanager
    def other_program(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(["sleep", "60"]) as other:
            yield other
            other.kill()

    def test_what_is_no_number(self) -> None:
        self.pid_file = self.folder / "a.pid"
        self.pid_file.write_text("what?")
        self.run_server("--status", code=1)
        with self.pid_file.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.run_server("--status", code=1)

    def test_another_one_is_made_while_it_is_opened(self) -> None:
        path = self.folder / "a.pid"
        path.write_text("")
        lock = fcntl.flock

        def make_another(*arguments: int) -> None:
            lock(*arguments)
            if flock.call_count == 1:
                path.unlink()
                path.write_text("")

        with patch(f"{ENGINE}.process.pid_file.fcntl.flock", side_effect=make_another) as flock:
            self.assertTrue(PIDFile(path).lock())
        self.assertEqual(flock.call_count, 2)

    def test_a_process_that_is_not_ours_to_look_into(self) -> None:
        path = self.folder / "a.pid"
        file = PIDFile(path)
        self.assertTrue(file.lock())
        file.write()
        us = psutil.Process()
        self.assertEqual(running(path), us)
        with patch.object(psutil.Process, "open_files", side_effect=psutil.AccessDenied):
            self.assertEqual(running(path), us)
        file.remove()

    def test_who_has_ended(self) -> None:
        path = self.folder / "a.pid"
        with subprocess.Popen(["true"]) as child:
            process = psutil.Process(child.pid)
            self.assertTrue(end(process, path, 10))  # a zombie until we look
        gone = psutil.NoSuchProcess(1)
        with (
            subprocess.Popen(["sleep", "60"]) as child,
            patch.object(psutil.Process, "status", side_effect=gone),
        ):
            self.assertTrue(end(psutil.Process(child.pid), path, 10))

    def test_what_is_no_file(self) -> None:
        self.pid_file = self.folder / "a.pid"
        os.mkfifo(self.pid_file)
        for path in (self.pid_file, Path(os.devnull), self.folder):
            self.pid_file = path
            self.assertIn(f"pid_file: {path} can't be written", self.run_server(code=1))
            self.assertIn("not running", self.run_server("--status", code=1))

    def test_a_full_disk(self) -> None:
        file = PIDFile(self.folder / "a.pid")
        self.assertTrue(file.lock())
        read_only = os.open(file.path, os.O_RDONLY)
        os.dup2(read_only, file.fileno())
        os.close(read_only)
        with self.assertRaisesRegex(StartError, "a.pid can't be written"):
            file.write()
        file.remove()

    def test_the_file_of_another_server(self) -> None:
        path = self.folder / "a.pid"
        first, second = PIDFile(path), PIDFile(path)
        self.assertTrue(first.lock())
        path.unlink()
        self.assertTrue(second.lock())
        first.remove()
        self.assertFalse(PIDFile(path).lock())
        second.remove()
        self.assertFalse(path.exists())

    def test_the_server_of_another_user(self) -> None:
        path = self.folder / "a.pid"
        file = PIDFile(path)
        self.assertTrue(file.lock())
        file.write()
        with (
            patch.object(psutil.Process, "send_signal", side_effect=psutil.AccessDenied),
            self.assertRaisesRegex(StartError, f"process {os.getpid()} is another user's"),
        ):
            end(psutil.Process(), path, 10)
        with (
            patch.object(Path, "open", side_effect=PermissionError),
            self.assertRaisesRegex(StartError, "a.pid can't be read"),
        ):
            running(path)
        file.remove()

    def test_one_that_is_removed_meanwhile(self) -> None:
        path = self.folder / "a.pid"
        first = PIDFile(path)
        self.assertTrue(first.lock())
        self.assertFalse(PIDFile(path).lock())
        path.unlink()
        second = PIDFile(path)
        self.assertTrue(second.lock())
        os.close(first.fileno())
        self.assertFalse(PIDFile(path).lock())
        second.remove()
        self.assertFalse(path.exists())


class LogFileTest(DaemonTest):
    def test_it_is_opened_again(self) -> None:
        for flags in (("--daemon",), ()):
            self.log_file.unlink(missing_ok=True)
            self.check(flags)

    def check(self, flags: tuple[str, ...]) -> None:
        pid = self.begin(flags)
        self.ask()
        until(lambda: "GET /healthz 200" in self.log_file.read_text())
        moved = self.log_file.rename(self.folder / "server.log.1")
        os.kill(pid, signal.SIGUSR1)
        until(self.log_file.exists)
        until(lambda: self.logs_a_request(moved.read_text()))
        self.assertEqual(self.log_file.stat().st_mode & 0o777, 0o640)

    def begin(self, flags: tuple[str, ...]) -> int:
        if flags:
            pid = self.start_daemon()
            self.addCleanup(self.run_server, "--stop")
            return pid
        server = self.serve("--mongodb-uri", mongodb_uri(), "--log-file", str(self.log_file))
        self.port = server.port
        return server.process.pid

    def logs_a_request(self, old: str) -> bool:
        self.ask()
        return "GET /healthz 200" in self.log_file.read_text() and "GET" in old

    def test_its_folder_is_gone(self) -> None:
        folder = self.folder / "logs"
        folder.mkdir()
        self.log_file = folder / "a.log"
        pid = self.start_daemon()
        moved = folder.rename(self.folder / "moved") / "a.log"
        os.kill(pid, signal.SIGUSR1)
        until(lambda: moved.read_text().count("log_file: ") == 2)  # of the parent and of its worker
        self.assertIn(b"200 OK", self.ask())
        self.run_server("--stop")

    def test_without_one_the_signal_means_nothing(self) -> None:
        server = self.serve("--mongodb-uri", mongodb_uri(), "--processes", "1")
        (worker,) = psutil.Process(server.process.pid).children()
        worker.kill()
        until(lambda: "another one starts" in server.printed())
        until(lambda: any(one != worker for one in psutil.Process(server.process.pid).children()))
        server.signal(signal.SIGUSR1)  # while the next one does not know yet what it means
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        server.signal(signal.SIGUSR1)
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)
