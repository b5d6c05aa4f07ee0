"""A parent and its workers: they serve, die, reload and drain."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import time
from functools import partial

import psutil

from ...mongo.mongod_binary import find_binary
from ...process.worker import main
from ..http.test_tls import certificate
from ..load import Load, Request
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, ServerProcess, until
from ..server_test import PASSWORD, mongodb_uri

HELD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"


class WorkersTest(ProcessTest):
    def serve(self, *flags: str) -> ServerProcess:
        return super().serve("--processes", "2", "--mongodb-uri", mongodb_uri(), *flags)

    def workers(self, server: ServerProcess) -> list[psutil.Process]:
        """Those that have been started, and live."""
        return [
            child
            for child in psutil.Process(server.process.pid).children()
            if f"{ENGINE}.process.worker" in child.cmdline()
        ]

    def hold(self, server: ServerProcess, worker: psutil.Process | None = None) -> socket.socket:
        """A request that waits for the rest of its body, in `worker` if it is given."""
        while True:
            client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            client.sendall(HELD)
            seen: list[psutil.Process] = []
            port = client.getsockname()[1]
            until(partial(self.find, server, port, seen))
            if worker in (None, seen[0]):
                return client
            client.close()

    def may_open(self, server: ServerProcess, more: int) -> None:
        """So many files more than the parent has open now."""
        parent = psutil.Process(server.process.pid)
        _, most = parent.rlimit(psutil.RLIMIT_NOFILE)
        parent.rlimit(psutil.RLIMIT_NOFILE, (parent.num_fds() + more, most))

    def find(self, server: ServerProcess, port: int, seen: list[psutil.Process]) -> bool:
        for worker in self.workers(server):
            if any(c.raddr and c.raddr.port == port for c in worker.net_connections()):
                seen.append(worker)
        return bool(seen)

    def answer(self, client: socket.socket) -> bytes:
        client.sendall(b"}")
        return client.recv(1 << 16)


class ServeTest(WorkersTest):
    def test_as_many_as_was_said(self) -> None:
        server = self.serve()
        self.assertIn(f"(process {server.process.pid}, 2 workers)", server.printed())
        self.assertEqual(len(self.workers(server)), 2)
        self.assertEqual(server.call("/readyz")[0], 200)
        workers = self.workers(server)
        for worker in workers:  # each of them serves
            client = self.hold(server, worker)
            self.assertIn(b"200 OK", self.answer(client))
            client.close()
        self.assertEqual(server.stop(), 0)
        self.assertFalse(any(worker.is_running() for worker in workers))

    def test_one_a_core(self) -> None:
        server = ProcessTest.serve(self, "--processes", "0", "--mongodb-uri", mongodb_uri())
        self.assertEqual(len(self.workers(server)), len(os.sched_getaffinity(0)))
        self.assertEqual(server.stop(), 0)

    def test_the_embedded_mongodb_is_the_parents(self) -> None:
        server = ProcessTest.serve(self, "--processes", "2")
        (mongod,) = self.mongods()
        self.assertEqual(mongod.ppid(), server.process.pid)
        body = {"email": "ada@example.com", "password": PASSWORD}
        token = server.call("/auth/register", body)[1]["token"]
        mongod.kill()
        until(lambda: "reloaded: 2 new workers" in server.printed())
        (other,) = self.mongods()
        self.assertNotEqual(other.pid, mongod.pid)
        self.assertEqual(server.call("/user/get", token=token)[0], 200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_the_embedded_mongodb_can_not_be_started_again(self) -> None:
        binary = self.folder / "mongod"
        good = f'#!/bin/sh\nexec "{find_binary(None)}" "$@"\n'
        binary.write_text(good)
        binary.chmod(0o755)
        server = ProcessTest.serve(self, "--processes", "1", "--mongod-binary", str(binary))
        binary.write_text("#!/bin/sh\nexit 1\n")
        (mongod,) = self.mongods()
        mongod.kill()
        until(lambda: "The embedded MongoDB ended with code 1" in server.printed())
        binary.write_text(good)
        until(lambda: "reloaded: 1 new worker" in server.printed())
        self.assertEqual(server.call("/readyz")[0], 200)
        self.assertEqual(server.stop(), 0)

    def test_what_no_worker_can_do_is_said_once(self) -> None:
        uri = "mongodb://127.0.0.1:1/"
        server = self.start(
            *("--processes", "3", "--mongodb-uri", uri, "--mongodb-timeout-seconds", "0.5")
        )
        self.assertEqual(server.wait(), 1)
        self.assertEqual(server.printed().count("MongoDB does not answer"), 1)
        self.assertNotIn("Traceback", server.printed())


class DeathTest(WorkersTest):
    def test_another_one_takes_its_place_later_each_time(self) -> None:
        server = self.serve()
        for number, delay in enumerate((1, 2)):
            for worker in self.workers(server):
                worker.kill()
            text = f"another one starts in {delay} s"
            until(lambda text=text: server.printed().count(text) == 2)  # type: ignore[misc]
            until(lambda: len(self.workers(server)) == 2)
            self.assertEqual(server.printed().count("by signal 9"), 2 * number + 2)
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)

    def test_one_that_never_serves(self) -> None:
        server = self.serve("--mongodb-timeout-seconds", "1")
        (first, other) = self.workers(server)
        first.kill()
        until(lambda: "another one starts" in server.printed())

        def end_the_next() -> bool:
            for worker in self.workers(server):
                if worker.pid not in (first.pid, other.pid):
                    worker.kill()
            return "in 4 s" in server.printed()

        until(end_the_next)
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)

    def test_it_gets_two_signals_itself(self) -> None:
        server = self.serve("--drain-seconds", "300")
        (worker, _) = self.workers(server)
        client = self.hold(server, worker)
        worker.terminate()
        until(lambda: "stopping" in server.printed())
        worker.terminate()
        until(lambda: f"worker {worker.pid} ended with code 1" in server.printed())
        client.close()
        self.assertEqual(server.stop(), 0)

    def test_the_parent_is_gone_before_it_has_begun(self) -> None:
        ours, theirs = socket.socketpair()
        ours.close()
        with theirs:
            self.assertEqual(main(theirs, []), 1)

    def test_there_are_no_files_for_another_one(self) -> None:
        server = self.serve()
        self.may_open(server, -2)
        self.workers(server)[0].kill()
        until(lambda: "can't be started: Too many open files" in server.printed())
        self.assertEqual(len(self.workers(server)), 1)
        self.may_open(server, 100)
        until(lambda: len(self.workers(server)) == 2)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.printed())

    def test_the_parent_is_killed(self) -> None:
        server = self.serve()
        workers = self.workers(server)
        client = self.hold(server)
        server.kill()
        self.assertIn(b"200 OK", self.answer(client))
        client.close()
        psutil.wait_procs(workers, timeout=20)
        self.assertFalse(any(worker.is_running() for worker in workers))


class SignalTest(WorkersTest):
    """At the wrong time: `--pid-file` tells the process id before the server serves."""

    def test_before_it_serves(self) -> None:
        for flags in (("--processes", "1"), ()):
            server = self.start(*flags)
            until(lambda: "Starting MongoDB" in server.printed())  # noqa: B023
            server.signal(signal.SIGUSR1)
            if flags:
                server.signal(signal.SIGHUP)
            server.wait_until_it_listens()
            self.assertEqual(server.call("/healthz"), (200, "ok"))
            self.assertEqual(server.stop(), 0)

    def test_the_terminal_is_closed_before_it_serves(self) -> None:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", PROGRAM.server, "--port", "0", "--processes", "1"]
        with open(ours, "rb", buffering=0) as terminal, open(theirs) as end:
            server = subprocess.Popen(
                ["setsid", "--ctty", *command, "--data-dir", str(self.folder)],
                cwd=ROOT,
                stdin=end,
                stdout=end,
                stderr=end,
            )
            printed = b""
            while b"Starting MongoDB" not in printed:
                printed += terminal.read(1000)
        self.assertEqual(server.wait(20), 128 + signal.SIGHUP)
        self.assertEqual(self.mongods(), [])

    def test_while_mongodb_is_taken_down(self) -> None:
        server = ProcessTest.serve(self, "--processes", "1")
        parent = psutil.Process(server.process.pid)
        (mongod,) = self.mongods()
        mongod.suspend()
        server.signal(signal.SIGTERM)
        # The parent asks MongoDB nothing before.
        until(lambda: any(c.status == "ESTABLISHED" for c in parent.net_connections()))
        for name in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
            server.signal(name)
        mongod.resume()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.mongods(), [])

    def test_the_parent_is_killed_while_a_worker_starts(self) -> None:
        server = self.serve()
        old = self.workers(server)
        server.signal(signal.SIGHUP)
        until(lambda: len(self.workers(server)) == 3)
        (new,) = set(self.workers(server)) - set(old)
        new.suspend()
        server.kill()
        new.resume()
        _, alive = psutil.wait_procs([new, *old], timeout=20)
        self.assertEqual(alive, [])
        self.assertNotIn("Traceback", server.printed())


class StopTest(WorkersTest):
    def test_a_slow_request_is_finished(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            server = self.serve()
            client = self.hold(server)
            server.signal(name)
            until(lambda: server.printed().count("stopping") == 2)  # noqa: B023
            self.assertIn(b"200 OK", self.answer(client))
            self.assertEqual(server.wait(), 0)
            client.close()

    def test_a_ctrl_c_in_the_terminal(self) -> None:
        server = self.serve()
        client = self.hold(server)
        os.killpg(server.process.pid, signal.SIGINT)
        until(lambda: server.printed().count("stopping") == 2)
        self.assertIn(b"200 OK", self.answer(client))
        self.assertEqual(server.wait(), 0)
        self.assertNotIn("Traceback", server.printed())
        client.close()

    def test_a_second_signal_ends_it_at_once(self) -> None:
        for flags in ((), ("--processes", "1")):
            server = self.start("--mongodb-uri", mongodb_uri(), "--drain-seconds", "300", *flags)
            server.wait_until_it_listens()
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(HELD)
                until(lambda: server.call("/healthz")[0] == 200)  # noqa: B023
                server.signal(signal.SIGTERM)
                until(lambda: "stopping" in server.printed())  # noqa: B023
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(20), 1)
                self.assertNotIn("Traceback", server.printed())

    def test_who_died_before_is_not_replaced_meanwhile(self) -> None:
        server = self.serve()
        first, other = self.workers(server)
        client = self.hold(server, other)
        first.kill()
        until(lambda: "another one starts in 1 s" in server.printed())
        server.signal(signal.SIGTERM)
        time.sleep(1.5)
        self.assertEqual([worker.pid for worker in self.workers(server)], [other.pid])
        self.assertIn(b"200 OK", self.answer(client))
        client.close()
        self.assertEqual(server.wait(), 0)
        self.assertNotIn("Traceback", server.printed())

    def test_one_that_does_not_end_is_ended(self) -> None:
        server = self.serve("--drain-seconds", "0.2")
        (worker, _) = self.workers(server)
        worker.suspend()
        self.assertEqual(server.stop(), 0)
        self.assertIn(f"worker {worker.pid} does not end", server.printed())

    def test_the_terminal_is_closed(self) -> None:
        for flags in (("--processes", "2"), ()):
            ours, theirs = pty.openpty()
            command = [sys.executable, "-m", PROGRAM.server, "--port", "0", *flags]
            with open(ours, "rb", buffering=0) as terminal, open(theirs) as end:
                server = subprocess.Popen(
                    ["setsid", "--ctty", *command, "--mongodb-uri", mongodb_uri()],
                    cwd=ROOT,
                    stdin=end,
                    stdout=end,
                    stderr=end,
                )
                printed = b""
                while b"settings  " not in printed:
                    printed += terminal.read(1000)
                if flags:  # with a terminal, SIGHUP asks for new workers
                    server.send_signal(signal.SIGHUP)
                    while b"reloaded" not in printed:
                        printed += terminal.read(1000)
            self.assertEqual(server.wait(20), 0)


class ReloadTest(WorkersTest):
    def test_no_request_is_lost(self) -> None:
        for kind in ("fast", "tornado"):
            server = self.serve("--http-server", kind)
            asyncio.run(self.reload_under_load(server))
            self.assertEqual(server.stop(), 0)

    async def reload_under_load(self, server: ServerProcess) -> None:
        body = {"email": f"{server.port}@example.com", "password": PASSWORD}
        loop = asyncio.get_running_loop()
        call = partial(server.call, "/auth/register", body)
        token = (await loop.run_in_executor(None, call))[1]["token"]
        requests = [Request("POST", "/user/get", token), Request("GET", "/healthz")]
        load = Load(server.port, requests)
        async with load.run(16):
            for number in range(3):
                await load.more(200)
                server.signal(signal.SIGHUP)
                while server.printed().count("2 new workers serve") == number:
                    await asyncio.sleep(0.02)
            await load.more(200)
        self.assertEqual({status for _, status in load.counted}, {200})

    def test_who_has_a_connection_is_not_cut_off(self) -> None:
        server = self.serve("--drain-seconds", "30")
        kept = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        slow = self.hold(server)
        old = self.workers(server)
        server.signal(signal.SIGHUP)
        until(lambda: server.printed().count("stopping") == 2)
        time.sleep(1.5)  # longer than who stops would wait for the next request
        kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"200 OK", kept.recv(1 << 16))  # the server as a whole is
        self.assertIn(b"200 OK", self.answer(slow))
        kept.close()
        slow.close()
        psutil.wait_procs(old, timeout=20)
        self.assertFalse(any(worker.is_running() for worker in old))
        self.assertEqual(server.stop(), 0)

    def test_a_request_that_outlasts_two_reloads(self) -> None:
        server = self.serve("--drain-seconds", "30")
        slow = self.hold(server)
        server.signal(signal.SIGHUP)
        until(lambda: server.printed().count("2 new workers serve") == 1)
        server.signal(signal.SIGHUP)
        until(lambda: server.printed().count("2 new workers serve") == 2)
        self.assertIn(b"200 OK", self.answer(slow))
        slow.close()
        self.assertEqual(server.stop(), 0)

    def test_a_tls_handshake_that_has_begun(self) -> None:
        files = [self.folder / name for name in ("certificate.pem", "key.pem")]
        for file, text in zip(files, certificate(), strict=True):
            file.write_text(text)
        tls = ("--certificate", str(files[0]), "--private-key", str(files[1]))
        context = ssl.create_default_context(cafile=files[0])
        for kind in ("fast", "tornado"):
            server = self.serve("--http-server", kind, "--drain-seconds", "30", *tls)
            client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            seen: list[psutil.Process] = []
            until(partial(self.find, server, client.getsockname()[1], seen))
            server.signal(signal.SIGHUP)
            until(lambda: server.printed().count("stopping") == 2)  # noqa: B023
            time.sleep(0.5)  # a worker without a connection is gone by then
            with context.wrap_socket(client, server_hostname="localhost") as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"200 OK", connection.recv(1000))
            self.assertEqual(server.stop(), 0)

    def test_new_settings(self) -> None:
        file = self.folder / "settings.yaml"
        file.write_text("max_body_bytes: 10")
        server = self.serve("--config", str(file))
        body = {"a": "0123456789"}
        self.assertEqual(server.call("/system/echo", body)[0], 413)
        old = {worker.pid for worker in self.workers(server)}
        file.write_text("max_body_bytes: no idea")
        server.signal(signal.SIGHUP)
        until(lambda: "not reloaded, the old workers go on: max_body_bytes" in server.printed())
        self.assertEqual({worker.pid for worker in self.workers(server)}, old)
        file.write_text("max_body_bytes: 100")
        server.signal(signal.SIGHUP)
        until(lambda: "reloaded: 2" in server.printed())
        self.assertEqual(server.call("/system/echo", body), (200, body))
        self.assertEqual(server.stop(), 0)

    def test_workers_that_can_not_start(self) -> None:
        file = self.folder / "settings.yaml"
        file.write_text("{}")
        server = self.serve("--config", str(file))
        file.write_text("certificate: nowhere.pem")
        server.signal(signal.SIGHUP)
        until(lambda: "not reloaded, the old workers go on: The workers" in server.printed())
        self.assertIn("certificate: nowhere.pem can't be read", server.printed())
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)

    def test_there_are_no_files_for_new_workers(self) -> None:
        server = self.serve()
        old = {worker.pid for worker in self.workers(server)}
        text = "not reloaded, the old workers go on: A worker can't be started"
        for number, more in enumerate((0, 3), start=1):  # for none, and for the first one alone
            self.may_open(server, more)
            server.signal(signal.SIGHUP)
            until(lambda number=number: server.printed().count(text) == number)  # type: ignore[misc]
            until(lambda: {worker.pid for worker in self.workers(server)} == old)
            self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.may_open(server, 100)
        server.signal(signal.SIGHUP)
        until(lambda: "reloaded: 2" in server.printed())
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.printed())

    def test_it_is_stopped_meanwhile(self) -> None:
        server = self.serve()
        server.signal(signal.SIGHUP)
        until(lambda: len(self.workers(server)) == 3)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.printed())
