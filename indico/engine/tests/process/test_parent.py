"""A parent and its real workers: they serve, die, reload and drain."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import psutil

from ...mongo.mongod_binary import find_binary
from ...process import worker_process
from ...process.listening import Sockets
from ...process.worker_process import Starter, WorkerProcess
from ..environment import MEASURE, measured
from ..load import Load, Request
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, ServerProcess, children, until
from ..server_test import PASSWORD, mongodb_uri, read_answer
from .in_process import run_main
from .test_command import SLEEP, program
from .test_listening import check_other_ports, check_taken_port, free_port

HELD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"


class Parent(ServerProcess):
    """A parent that alone is measured, because the code of its workers runs in other tests."""

    run = (
        "-c",
        f"import os, runpy, sys; os.environ.pop({MEASURE!r}, None);"
        "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)",
    )


class WorkersTest(ProcessTest):
    server_class: ClassVar[type[ServerProcess]] = Parent
    flags = ("--drain-seconds", "300")

    def serve(self, *flags: str) -> ServerProcess:
        return super().serve("--mongodb-uri", mongodb_uri(), *flags)

    def workers(self, server: ServerProcess) -> list[psutil.Process]:
        """Return the workers that live."""
        return children(server.process.pid, f"{ENGINE}.process.worker")

    def hold(self, server: ServerProcess, worker: psutil.Process | None = None) -> socket.socket:
        """Send a request without the end of its body; to `worker`, if that is given."""
        while True:
            client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            client.sendall(HELD)
            seen: list[psutil.Process] = []
            port = client.getsockname()[1]
            until(partial(self.find, server, port, seen))
            if worker in (None, seen[0]):
                return client
            client.close()

    def find(self, server: ServerProcess, port: int, seen: list[psutil.Process]) -> bool:
        for worker in self.workers(server):
            if any(c.raddr and c.raddr.port == port for c in worker.net_connections()):
                seen.append(worker)
        return bool(seen)

    def answer(self, client: socket.socket) -> bytes:
        client.sendall(b"}")
        return client.recv(1 << 16)


class ServeTest(WorkersTest):
    server_class = ServerProcess
    seconds = 6

    def test_as_many_as_was_said_until_a_ctrl_c(self) -> None:
        port = free_port()
        server = self.serve("--processes", "2", "--metrics-port", str(port), "--tcp-port", "0")
        self.assertIn(f"(process {server.process.pid}, 2 workers)", server.printed())
        self.assertEqual(server.call("/readyz")[0], 200)
        check_other_ports(self, port, server)
        check_taken_port(self, server)
        workers = self.workers(server)
        self.assertEqual(len(workers), 2)
        held = [self.hold(server, worker) for worker in workers]  # each of them serves
        os.killpg(server.process.pid, signal.SIGINT)
        until(lambda: server.printed().count("stopping") == 2)
        for client in held:
            self.assertIn(b"200 OK", self.answer(client))
            client.close()
        self.assertEqual(server.wait(), 0)
        self.assertNotIn("Traceback", server.printed())
        self.assertFalse(any(worker.is_running() for worker in workers))


class EmbeddedTest(WorkersTest):
    """The embedded MongoDB, which belongs to the parent."""

    measured = True
    seconds = 10

    def test_from_its_start_to_its_end(self) -> None:
        good = f'exec "{find_binary(None)}" "$@"'
        binary = program(self.folder, good)
        server = self.start("--processes", "1", "--mongod-binary", str(binary))
        until(lambda: "Starting MongoDB" in server.printed())
        for name in (signal.SIGUSR1, signal.SIGHUP):  # before it serves, they mean nothing
            server.signal(name)
        server.wait_until_it_listens()
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.survive_its_death(server, lambda text: program(self.folder, text), good)
        self.take_it_down(server)

    def survive_its_death(
        self, server: ServerProcess, program: Callable[[str], object], good: str
    ) -> None:
        """Kill MongoDB, which can't be started again at first."""
        (mongod,) = self.mongods()
        self.assertEqual(mongod.ppid(), server.process.pid)
        body = {"email": "ada@example.com", "password": PASSWORD}
        token = server.call("/auth/register", body)[1]["token"]
        program("exit 1")
        mongod.kill()
        until(lambda: "The embedded MongoDB ended with code 1" in server.printed())
        program(good)
        until(lambda: "reloaded: 1 new worker" in server.printed())
        (other,) = self.mongods()
        self.assertNotEqual(other.pid, mongod.pid)
        self.assertEqual(server.call("/readyz")[0], 200)
        self.assertEqual(server.call("/user/get", token=token)[0], 200)

    def take_it_down(self, server: ServerProcess) -> None:
        """Send signals while MongoDB ends, which they do not interrupt."""
        parent = psutil.Process(server.process.pid)
        (mongod,) = self.mongods()

        def connected() -> bool:
            return any(one.status == "ESTABLISHED" for one in parent.net_connections())

        until(lambda: not connected())  # PyMongo keeps one for half a second after the restart
        mongod.suspend()
        server.signal(signal.SIGTERM)
        until(connected)  # to stop MongoDB
        for name in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
            server.signal(name)
        mongod.resume()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.mongods(), [])
        self.assertNotIn("Traceback", server.printed())


class TerminalTest(ProcessTest):
    """The terminal of a server is closed."""

    def test_before_it_serves(self) -> None:
        started = self.folder / "started"
        binary = program(self.folder, f"touch {started}; {SLEEP} --dbpath $2")
        flags = ("--processes", "1", "--data-dir", str(self.folder), "--mongod-binary", str(binary))
        with Terminal(*flags) as terminal:
            terminal.wait_for(b"Starting MongoDB")
            until(started.exists)
        self.assertEqual(terminal.server.wait(60), 128 + signal.SIGHUP)
        self.assertEqual(self.mongods(), [])

    def test_while_it_serves(self) -> None:
        settings = self.folder / "settings.yaml"
        settings.write_text("{}")
        for flags in (("--processes", "1", "--config", str(settings)), ()):
            surroundings = measured() if flags else nullcontext()
            with surroundings, Terminal("--mongodb-uri", mongodb_uri(), *flags) as terminal:
                terminal.wait_for(b"settings  ")
                if flags:  # with a terminal, SIGHUP asks for new workers
                    settings.write_text("max_body_bytes: no idea")
                    terminal.server.send_signal(signal.SIGHUP)
                    terminal.wait_for(b"not reloaded, the old workers go on")
            self.assertEqual(terminal.server.wait(60), 0)


class Terminal:
    """A terminal with a server in its foreground, until the terminal is closed."""

    def __init__(self, *flags: str) -> None:
        ours, theirs = pty.openpty()
        command = [sys.executable, *Parent.run, PROGRAM.server, "--port", "0", *flags]
        with open(theirs) as end:
            self.server = subprocess.Popen(
                ["setsid", "--ctty", *command], cwd=ROOT, stdin=end, stdout=end, stderr=end
            )
        self._terminal = open(ours, "rb", buffering=0)  # noqa: SIM115 - closed in `__exit__`

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.close()

    def wait_for(self, text: bytes) -> None:
        printed = b""
        while text not in printed:
            printed += self._terminal.read(1000)


class WorkerTest(unittest.IsolatedAsyncioTestCase):
    """A real worker, whose parent is the test."""

    integration = True

    async def test_it_gets_two_signals_itself(self) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="test-") as folder,
            socket.create_server(("127.0.0.1", 0)) as listening,
        ):
            log = Path(folder, "log")
            flags = [
                "--mongodb-uri",
                mongodb_uri(),
                "--drain-seconds",
                "300",
                "--log-file",
                str(log),
            ]
            starter = Starter(PROGRAM, flags, Sockets([listening], []), None, folder)
            with measured(), patch.object(worker_process, "SILENT_SECONDS", 0.04):
                worker = await starter.start(1)
            for _ in range(3):  # it says so again and again
                self.assertTrue(await worker.serves())
            self.assertEqual(await self.end(worker, listening, log), "with code 1")

    async def end(self, worker: WorkerProcess, listening: socket.socket, log: Path) -> str:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((await read_answer(reader))[0], 200)
        writer.write(HELD)
        worker.signal(signal.SIGTERM)
        while "stopping" not in log.read_text():
            await asyncio.sleep(0.01)
        worker.signal(signal.SIGTERM)
        ended = await asyncio.wait_for(worker.ended(), 60)
        writer.close()
        return ended


class ReloadTest(WorkersTest):
    seconds = 9

    def test_no_request_is_lost(self) -> None:
        server = self.serve("--processes", "1")
        slow = self.hold(server)
        asyncio.run(self.reload_under_load(server))
        self.assertIn(b"200 OK", self.answer(slow))  # it has outlasted two reloads
        slow.close()
        until(lambda: len(self.workers(server)) == 1)
        self.kill_the_parent(server)

    def kill_the_parent(self, server: ServerProcess) -> None:
        """Kill it during a reload."""
        (old,) = self.workers(server)
        client = self.hold(server)
        server.signal(signal.SIGHUP)
        until(lambda: len(self.workers(server)) == 2)
        (new,) = set(self.workers(server)) - {old}
        new.suspend()
        server.kill()
        new.resume()
        self.assertIn(b"200 OK", self.answer(client))
        client.close()
        _, alive = psutil.wait_procs([new, old], timeout=60)
        self.assertEqual(alive, [])
        self.assertNotIn("Traceback", server.printed())

    async def reload_under_load(self, server: ServerProcess) -> None:
        body = {"email": f"{server.port}@example.com", "password": PASSWORD}
        loop = asyncio.get_running_loop()
        call = partial(server.call, "/auth/register", body)
        token = (await loop.run_in_executor(None, call))[1]["token"]
        requests = [Request("POST", "/user/get", token), Request("GET", "/healthz")]
        load = Load(server.port, requests)
        async with load.run(16, pause_seconds=0.05):
            for number in range(2):
                await load.more(200)
                server.signal(signal.SIGHUP)
                while server.printed().count("1 new workers serve") == number:
                    await asyncio.sleep(0.02)
            await load.more(200)
        self.assertEqual({status for _, status in load.counted}, {200})

    def test_new_settings_and_a_death(self) -> None:
        """The parent is in the foreground, with a PID file."""
        file = self.folder / "settings.yaml"
        file.write_text("max_body_bytes: 10")
        files = ("--pid-file", str(self.folder / "server-%(port)s.pid"))
        with measured():
            server = self.serve("--config", str(file), *files)
        pid_file = self.folder / f"server-{server.port}.pid"
        self.assertEqual(pid_file.read_text(), f"{server.process.pid}\n")
        body = {"a": "0123456789"}
        self.assertEqual(server.call("/system/echo", body)[0], 413)
        old = self.workers(server)
        for wrong, why in (
            ("max_body_bytes: no idea", "not reloaded, the old workers go on: max_body_bytes"),
            ("certificate: nowhere.pem", "not reloaded, the old workers go on: The workers"),
        ):
            file.write_text(wrong)
            server.signal(signal.SIGHUP)
            until(lambda why=why: why in server.printed())  # type: ignore[misc]
            until(lambda: self.workers(server) == old)
            self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertIn("certificate: nowhere.pem can't be read", server.printed())
        file.write_text("max_body_bytes: 100")
        server.signal(signal.SIGHUP)
        until(lambda: "reloaded: 1" in server.printed())
        until(lambda: not old[0].is_running())  # until then it may accept a connection
        self.assertEqual(server.call("/system/echo", body), (200, body))
        self.replace_one_that_dies(server)
        port = ("--port", str(server.port))
        self.stop_during_a_request(server, "--stop", *port, *files, *self.flags)
        self.assertFalse(pid_file.exists())

    def replace_one_that_dies(self, server: ServerProcess) -> None:
        (worker,) = self.workers(server)
        worker.kill()
        # After 5 s, which a busy machine may need for the start, the delay is 0 s.
        said = rf"worker {worker.pid} ended by signal 9; another one starts in [01] s\n"
        until(lambda: re.search(said, server.printed()))
        until(lambda: self.workers(server))
        server.signal(signal.SIGUSR1)  # the next one does not know the signal's meaning yet
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        server.signal(signal.SIGUSR1)
        self.assertEqual(server.call("/healthz"), (200, "ok"))

    def stop_during_a_request(self, server: ServerProcess, *stop: str) -> None:
        before = server.printed().count("stopping")

        def finish(client: socket.socket) -> bytes:
            until(lambda: server.printed().count("stopping") == before + 1)
            return self.answer(client)

        with self.hold(server) as client, ThreadPoolExecutor(1) as thread:
            answer = thread.submit(finish, client)
            self.assertEqual(run_main(*stop)[0], 0)
            self.assertIn(b"200 OK", answer.result())
        self.assertEqual(server.wait(), 0)
