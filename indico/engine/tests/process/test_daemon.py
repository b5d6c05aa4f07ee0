"""The daemon: a server in the background, with a PID file and a log file."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import patch

import psutil

from ...process import control
from ...process.pid_file import running
from ..environment import measured
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, until
from ..server_test import mongodb_uri
from .in_process import run_main
from .test_command import SLEEP, program
from .test_pid_file import other_program

HELD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"


class DaemonTest(ProcessTest):
    """A daemon in the test's folder, whose PID file has its port in its name."""

    def setUp(self) -> None:
        super().setUp()
        self.pid_file = self.folder / "server-%(port)s.pid"
        self.log_file: Path | None = self.folder / "server.log"
        self.addCleanup(self.end_daemons)
        self.port = 0

    def end_daemons(self) -> None:
        for file in self.folder.glob("*.pid"):
            if process := running(file):
                process.kill()
                until(lambda process=process: not process.is_running())  # type: ignore[misc]

    def all_flags(self, *flags: str) -> list[str]:
        settings = ("--port", str(self.port), "--mongodb-uri", mongodb_uri())
        files = ["--pid-file", str(self.pid_file)]
        if self.log_file:
            files += ["--log-file", str(self.log_file)]
        return [*super().all_flags(), *settings, *files, *flags]

    def command(self, *flags: str, code: int = 0) -> str:
        """Run the command in this process, and return what it prints."""
        got, text = run_main(*self.all_flags(*flags))
        self.assertEqual(got, code, text)
        self.assertNotIn("Traceback", text)
        return text

    def run_daemon(self, *flags: str, code: int = 0) -> str:
        """Return all that the process prints which is started, and which exits with `code`.

        All who have its output open must close it before, so nothing holds the terminal.
        """
        done = subprocess.run(
            [sys.executable, "-m", PROGRAM.server, *self.all_flags("--daemon", *flags)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout)
        self.assertNotIn("Traceback", done.stdout)
        return done.stdout

    def start_daemon(self, *flags: str) -> psutil.Process:
        text = self.run_daemon(*flags)
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+) \(process (\d+), 1 worker\)", text)
        assert found, text
        self.port = int(found[1])
        return psutil.Process(int(found[2]))

    def file(self) -> Path:
        return Path(str(self.pid_file).replace("%(port)s", str(self.port)))

    def ask(self) -> bytes:
        return ask(self.port)


class LifeTest(DaemonTest):
    seconds = 8

    def test_from_start_to_stop(self) -> None:
        folder = self.folder / "logs"
        folder.mkdir()
        self.log_file = folder / "a.log"
        settings = self.folder / "settings.yaml"
        settings.write_text("{}")
        process = self.start_daemon("--config", str(settings), "--drain-seconds", "300")
        pid = process.pid
        self.assertNotEqual(process.ppid(), os.getpid())
        self.assertNotEqual(os.getsid(pid), os.getsid(0))
        self.assertEqual(process.cwd(), str(ROOT))
        start = f"version {PROGRAM.version} listens on http://127.0.0.1:{self.port}"
        self.assertIn(start, self.log_file.read_text())
        self.assertIn(b"200 OK", self.ask())
        self.assertEqual(self.file().read_text(), f"{pid}\n")
        said = f"sample: process {pid} runs (port {self.port}) and holds {self.file()}\n"
        self.assertEqual(self.command("--status"), said)
        self.refuse_another(pid)
        self.reload(process, settings, self.log_file)
        self.open_log_files_again(pid, self.log_file)
        self.drain_for_long(process)
        self.assertFalse(self.file().exists())
        self.assertIn("not running", self.command("--status", code=3))

    def refuse_another(self, pid: int) -> None:
        """Refuse a second server with the same PID file."""
        for flags in ((), ("--daemon",)):
            text = self.command(*flags, code=1)
            self.assertIn(f"pid_file: process {pid} runs and holds {self.file()}", text)
            self.assertIn("--replace", text)
        self.assertEqual(self.file().read_text(), f"{pid}\n")
        self.assertIn(b"200 OK", self.ask())

    def reload(self, process: psutil.Process, settings: Path, log_file: Path) -> None:
        (old,) = process.children()
        settings.write_text("max_body_bytes: no idea")
        for _ in range(2):
            self.assertIn("could not get new workers", self.command("--reload", code=1))
        log = log_file.read_text()
        self.assertIn("not reloaded, the old workers go on: max_body_bytes", log)
        self.assertIn(b"200 OK", self.ask())
        settings.write_text("{}")
        done = f"sample: process {process.pid} has new workers\n"
        self.assertEqual(self.command("--reload"), done)
        self.assertIn(b"200 OK", self.ask())
        until(lambda: not old.is_running())

    def open_log_files_again(self, pid: int, log_file: Path) -> None:
        check_rotation(self, log_file, self.port, pid)
        moved = log_file.parent.rename(self.folder / "moved") / "a.log"
        os.kill(pid, signal.SIGUSR1)
        until(lambda: moved.read_text().count("log_file: ") == 2)  # of the parent and of its worker
        self.assertIn(b"200 OK", self.ask())

    def drain_for_long(self, process: psutil.Process) -> None:
        """Stop a server that drains for long, which a second --stop ends."""
        with socket.create_connection(("127.0.0.1", self.port)) as held:
            held.sendall(HELD)
            until(lambda: b"200 OK" in self.ask())
            with patch.object(control, "STOP_SECONDS", 0):
                text = self.command("--stop", "--drain-seconds", "0.3", code=1)
            self.assertIn("still drains after 0.3 s", text)
            self.assertIn(f"process {process.pid} has ended", self.command("--stop"))
        until(lambda: not process.is_running())  # until then it is a zombie at most


class StreamsTest(DaemonTest):
    def test_one_of_its_streams_is_closed(self) -> None:
        code = (
            f"import os, sys; from {ENGINE}.standard_streams import open_streams; open_streams(); "
            "print([os.fstat(n).st_ino for n in range(3)], os.stat(os.devnull).st_ino,"
            " all(map(os.get_inheritable, range(3))), file=open(sys.argv[1], 'w'))"
        )
        told = self.folder / "told"
        for number, closed in enumerate(("<&-", ">&-", "2>&-")):
            line = f'{sys.executable} -c "{code}" {told} {closed}'
            subprocess.run(line, shell=True, cwd=ROOT, check=True, capture_output=True)
            found = re.fullmatch(r"\[(\d+), (\d+), (\d+)\] (\d+) True\n", told.read_text())
            assert found, told.read_text()
            self.assertEqual(found[number + 1], found[4])


class WaitTest(DaemonTest):
    """The process that was started waits for the daemon."""

    def test_what_goes_wrong_is_told_before_it_goes(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.port = taken.getsockname()[1]
            self.assertIn("port: can't listen on", self.command("--daemon", code=1))
            self.assertFalse(self.file().exists())
        self.port = 0
        brief = ("--mongodb-timeout-seconds", "0.2")
        two = ("--processes", "2")
        text = self.run_daemon("--mongodb-uri", "mongodb://127.0.0.1:1/", *brief, *two, code=1)
        self.assertEqual(text.count("MongoDB does not answer"), 1)  # what no worker can do
        self.assertEqual(list(self.folder.glob("*.pid")), [])

    def test_a_log_file_that_can_not_be_written(self) -> None:
        self.log_file = self.folder / "nowhere" / "a.log"
        self.assertIn("log_file: ", self.run_daemon(code=1))

    def test_who_waits_for_it_goes(self) -> None:
        """A signal ends the wait, and the daemon goes on, here until its MongoDB starts."""
        self.pid_file = self.folder / "a.pid"
        never = program(self.folder, f"{SLEEP} --dbpath $2")
        flags = (*ProcessTest.all_flags(self), "--pid-file", str(self.pid_file))
        command = [sys.executable, "-m", PROGRAM.server, *flags, "--mongod-binary", str(never)]
        with subprocess.Popen([*command, "--daemon"], cwd=ROOT, stdout=subprocess.PIPE) as waits:
            until(lambda: running(self.pid_file))
            self.end_the_wait(waits, signal.SIGTERM)
        self.assertTrue(running(self.pid_file))
        self.command("--stop")
        self.assertEqual(self.mongods(), [])

    def test_any_signal_ends_the_wait(self) -> None:
        told = self.folder / "told"
        code = (
            f"import os, sys, time; from {ENGINE}.process import background, signals; "
            "signals.exit_on_stop(); report = background.detach([]); "
            "print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(600)"
        )
        for name in (signal.SIGINT, signal.SIGHUP):
            told.unlink(missing_ok=True)
            with subprocess.Popen([sys.executable, "-c", code, str(told)], cwd=ROOT) as waits:
                until(lambda: told.exists() and told.read_text())
                self.end_the_wait(waits, name)
            daemon = psutil.Process(int(told.read_text()))
            self.assertTrue(daemon.is_running())
            daemon.kill()

    def end_the_wait(self, waits: subprocess.Popen[bytes], name: signal.Signals) -> None:
        # Until it waits, it would take the signal as one to stop, and exit with 128 and more.
        until(lambda: not _has_signal(waits.pid, "SigCgt", name))
        waits.send_signal(name)
        self.assertEqual(waits.wait(60), -name)


class ReplaceTest(DaemonTest):
    seconds = 8

    def test_a_crash_leaves_the_file(self) -> None:
        """The first server crashes, another program gets its number, and two servers follow."""
        log, self.log_file = self.log_file, None
        first = self.start_daemon("--replace")  # there is none to replace
        self.assertEqual(os.readlink(f"/proc/{first.pid}/fd/2"), os.devnull)
        self.log_file = log
        self.crash_during_a_reload(first)
        self.assertIn("not running, but it left", self.command("--status", code=1))
        with other_program() as other:
            self.file().write_text(f"{other.pid}\n")
            self.command("--stop")
            self.command("--reload", code=7)
            self.command("--status", code=1)
            second = self.start_without_streams()
            self.assertEqual(self.file().read_text(), f"{second.pid}\n")
            self.assertIsNone(other.poll())
        self.replace(second)
        self.run_without_streams("--stop")
        self.assertFalse(self.file().exists())
        self.assertIn("not running", self.command("--status", code=3))

    def run_without_streams(self, *flags: str) -> None:
        """Run the command with its streams closed, as some programs do by themselves."""
        words = (sys.executable, "-m", PROGRAM.server, *self.all_flags(*flags))
        line = f"{shlex.join(words)} <&- >&- 2>&-"
        subprocess.run(line, shell=True, cwd=ROOT, check=True, capture_output=True)

    def start_without_streams(self) -> psutil.Process:
        self.run_without_streams("--daemon", "--replace")
        (process,) = filter(None, [running(self.file())])
        (listening,) = [c for c in process.net_connections() if c.status == "LISTEN"]
        self.assertEqual(listening.laddr.port, self.port)
        self.assertIn(b"200 OK", self.ask())
        return process

    def crash_during_a_reload(self, process: psutil.Process) -> None:
        """Kill the server while a --reload waits for it."""
        workers = process.children()
        process.suspend()
        # Until it has stopped, it would take SIGHUP first: Linux hands out the lowest number.
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        codes: list[int] = []
        reload = threading.Thread(
            target=lambda: codes.append(control.reload(self.file(), lambda text: None))
        )
        reload.start()
        until(lambda: _has_signal(process.pid, "ShdPnd", signal.SIGHUP))
        process.kill()
        reload.join(60)
        self.assertEqual(codes, [1])
        until(lambda: not any(one.is_running() for one in (process, *workers)))

    def replace(self, second: psutil.Process) -> None:
        """Let a third server replace the second one, which drains."""
        with measured():
            third = self.start_daemon("--replace")
        until(lambda: not second.is_running())
        self.assertEqual(self.file().read_text(), f"{third.pid}\n")
        self.assertIn(b"200 OK", self.ask())
        assert self.log_file
        self.assertIn("stopping, once", self.log_file.read_text())  # the second one has drained


class LogFileTest(ProcessTest):
    def test_it_is_opened_again_by_one_process(self) -> None:
        log_file = self.folder / "server.log"
        server = self.serve("--mongodb-uri", mongodb_uri(), "--log-file", str(log_file))
        check_rotation(self, log_file, server.port, server.process.pid)
        self.assertEqual(server.stop(), 0)


def check_rotation(test: ProcessTest, log_file: Path, port: int, pid: int) -> None:
    """Move the log file away, after which a new one is made."""
    ask(port)
    until(lambda: "GET /healthz 200" in log_file.read_text())
    moved = log_file.rename(log_file.with_suffix(".1"))
    os.kill(pid, signal.SIGUSR1)
    until(log_file.exists)

    def logs_a_request() -> bool:
        ask(port)
        return "GET /healthz 200" in log_file.read_text() and "GET" in moved.read_text()

    until(logs_a_request)
    test.assertEqual(log_file.stat().st_mode & 0o777, 0o640)


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return client.recv(1000)


def _has_signal(pid: int, kind: str, name: signal.Signals) -> bool:
    """Return whether a process has a signal pending (`ShdPnd`) or a handler of it (`SigCgt`)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = re.findall(rf"^{kind}:\s+(\w+)$", status, re.M)
    return bool(int(mask, 16) & 1 << (name - 1))
