"""The server as a process: how it starts, what it prints, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import ClassVar
from unittest import TestCase
from unittest.mock import patch

from ...process import signals
from ...process.greeting import say
from ..environment import measured
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, ServerProcess, until
from ..server_test import PASSWORD, exchange, mongodb_uri, read_answer
from .in_process import InProcessServer, run_main

HEAD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
SLEEP = f"exec {sys.executable} -S -c 'import time; time.sleep(60)'"


class StartTest(ProcessTest):
    def test_greeting(self) -> None:
        with measured():
            server = self.start("--debug")
        until(lambda: "Starting MongoDB" in server.printed())
        server.signal(signal.SIGUSR1)  # before it serves, the signal means nothing
        server.wait_until_it_listens()
        lines = server.printed().splitlines()
        self.assertRegex(lines[0], "^Starting MongoDB .* \\.\\.\\.$")
        self.assertRegex(lines[1], r"^sample listens on http://127\.0\.0\.1:\d+ ")
        self.assertIn(f"embedded, data in {self.folder}, database test_process", lines[2])
        self.assertIn("development", lines[3])
        self.assertIn("docs/settings.md", lines[4])
        self.assertEqual(server.call("/readyz")[0], 200)
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_a_signal_while_it_starts_leaves_no_child(self) -> None:
        started = self.folder / "started"
        binary = program(self.folder, f"touch {started}; {SLEEP} --dbpath $2")
        for name in (signal.SIGTERM, signal.SIGINT):
            server = self.start("--mongod-binary", str(binary))
            until(started.exists)
            started.unlink()
            (child,) = self.children(server)
            server.signal(name)
            self.assertEqual(server.wait(), 128 + name)
            self.assertNotIn("Traceback", server.printed())
            self.assertFalse(Path(f"/proc/{child}").exists())

    def children(self, server: ServerProcess) -> list[int]:
        path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


class OwnMongoDBTest(ProcessTest):
    def test_it_and_other_settings(self) -> None:
        flags = ["--mongodb-uri", mongodb_uri(), "--environment", "production"]
        flags += ["--secret-key", "a secret of our own", "--service-name", "Address Book"]
        flags += ["--log-format", "json", "--host", "::1", "--tcp-port", "0"]
        server = InProcessServer()
        self.assertEqual(server.run(self.ping_over_tcp, *self.all_flags(*flags)), 0)
        text = server.printed()
        self.assertIn("MongoDB      127.0.0.1:", text)
        self.assertIn("production", text)
        line = json.loads(text.splitlines()[-1])
        self.assertEqual(line["message"][:9], "stopping,")
        self.assertEqual(line["service"], "Address Book")

    def ping_over_tcp(self, server: InProcessServer) -> None:
        text = server.printed()
        found = re.search(
            r"Address Book listens on http://\[::1\]:\d+ and tcp://\[::1\]:(\d+)", text
        )
        assert found, text
        with socket.create_connection(("::1", int(found[1])), timeout=60) as client:
            client.sendall(b'{"action": "system/ping"}\n')
            self.assertIn(b"pong", client.recv(1000))
        self.assertEqual(self.mongods(), [])


class RefusalTest(ProcessTest):
    """Settings with which no server starts."""

    def refusal(self, code: int, *flags: str) -> str:
        """Return what the command prints; it exits with `code` and leaves no `mongod`."""
        got, text = run_main(*self.all_flags(*flags))
        self.assertEqual((got, self.mongods()), (code, []), text)
        self.assertNotIn("Traceback", text)
        return text

    def test_port_is_taken(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            text = self.refusal(1, "--port", str(port))
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn(f"port: can't listen on 127.0.0.1:{port} (Address already in use)", text)
        self.assertIn("--port", text)

    def test_host_is_not_ours(self) -> None:
        for host in ("192.0.2.1", "nope.invalid", "a..b"):
            text = self.refusal(1, "--host", host)
            self.assertIn(f"host: can't listen on {host}:0, which is no address", text)
            self.assertEqual(len(text.splitlines()), 1)

    def test_mongodb_is_not_there(self) -> None:
        uri = "mongodb://ada:hunter2@127.0.0.1:1/"
        flags = ("--mongodb-uri", uri, "--mongodb-timeout-seconds", "0.2")
        text = self.refusal(1, *flags)
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn("MongoDB does not answer", text)
        self.assertIn("Or unset mongodb_uri to use an embedded MongoDB.", text)
        self.assertNotIn("hunter2", text)
        production = ("--environment", "production", "--secret-key", "a secret of our own")
        text = self.refusal(1, *flags, *production)
        self.assertIn("MongoDB does not answer", text)
        self.assertNotIn("embedded", text)

    def test_a_variable_that_is_no_setting(self) -> None:
        said = "WARNING SAMPLE_PROT is no setting; did you mean SAMPLE_PORT?"
        binary = program(self.folder, "exit 1")
        with patch.dict(os.environ, {"SAMPLE_PROT": "1"}):
            self.assertIn(said, self.refusal(1, "--mongod-binary", str(binary)))

    def test_wrong_settings(self) -> None:
        text = self.refusal(2, "--log-format", "xml", "--drain-seconds", "x")
        self.assertEqual(len(text.splitlines()), 2)
        self.assertIn("log_format: 'xml' is not allowed: Input should be 'text' or 'json'", text)

    def test_production_refuses_what_is_for_development(self) -> None:
        text = self.refusal(2, "--environment", "production", "--debug")
        self.assertIn("mongodb_uri: is not set", text)
        self.assertIn("debug: must be off", text)
        self.assertIn("secret_key: is a secret left at its default", text)

    def test_embedded_mongodb_does_not_come_up(self) -> None:
        for text, code in (("exit 1", "ended with code 1"), ("exit 127", "ended with code 127")):
            binary = program(self.folder, text)
            said = self.refusal(1, "--mongod-binary", str(binary))
            self.assertIn(code, said)
            self.assertIn("mongod.log", said)
            self.assertIn("mongodb_uri", said)


class SayTest(TestCase):
    def test_a_terminal_that_is_closed(self) -> None:
        with suppress(OSError), open("/dev/full", "w") as full, redirect_stdout(full):
            say("hello")
            self.assertIsNot(sys.stdout, full)
            say("hello")
            sys.stdout.close()


class StopTest(ProcessTest):
    """The end of a server; that of a process is in many other tests."""

    signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def run_server(self, client: Callable[[InProcessServer], None], *flags: str) -> tuple[int, str]:
        """Return the exit code, and all that is printed."""
        server = InProcessServer()
        with patch.object(signals, "STOP", StopTest.signals):  # also in tests under nohup
            code = server.run(client, *self.all_flags("--mongodb-uri", mongodb_uri(), *flags))
        return code, server.printed()

    def test_requests_in_flight_are_finished(self) -> None:
        for name in self.signals:

            def client(server: InProcessServer, name: signal.Signals = name) -> None:
                asyncio.run(self.stop_under_load(server, name))

            code, printed = self.run_server(client, "--drain-seconds", "300")
            self.assertEqual(code, 0, printed)

    async def stop_under_load(self, server: InProcessServer, name: signal.Signals) -> None:
        """Stop with a slow request, a connection without a request, and 20 queries in flight."""
        port = server.port
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", port)
        kept, kept_writer = await asyncio.open_connection("127.0.0.1", port)
        slow_writer.write(HEAD + b"{")
        kept_writer.write(READY)
        self.assertEqual((await read_answer(kept))[0], 200)
        answers = await self.ask_for_many(port)
        server.signal(name)
        self.assertEqual({status for status, _, _ in await asyncio.gather(*answers)}, {401})
        while await self.accepts(port):
            await asyncio.sleep(0.01)
        kept_writer.write(READY)
        status, headers, _ = await read_answer(kept)
        self.assertEqual((status, headers["connection"]), (503, "close"))
        slow_writer.write(b"}")
        status, headers, body = await read_answer(slow)
        self.assertEqual((status, json.loads(body)["data"]), (200, {}))
        self.assertEqual(headers["connection"], "close")
        slow_writer.close()
        kept_writer.close()

    async def ask_for_many(
        self, port: int
    ) -> list[asyncio.Task[tuple[int, dict[str, str], bytes]]]:
        """Send 20 queries, and return their answers once the first one has come."""
        body = json.dumps({"email": "nobody@example.com", "password": PASSWORD}).encode()
        head = b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        self.assertEqual((await exchange(port, READY))[0], 200)  # the earlier ones are accepted
        for _, writer in connections:
            writer.write(head + body)
        answers = [asyncio.create_task(read_answer(reader)) for reader, _ in connections]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        for answer, (_, writer) in zip(answers, connections, strict=True):
            answer.add_done_callback(partial(_close, writer))
        return answers

    async def accepts(self, port: int) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:  # refused; or reset, if the server had not accepted it yet
            return False
        writer.close()
        return True

    def hold(self, server: InProcessServer) -> socket.socket:
        """Send a request without the end of its body, and the first signal to stop."""
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        client.sendall(HEAD + b"{")
        until(lambda: server.call("/healthz")[0] == 200)
        server.signal(signal.SIGTERM)
        return client

    def test_what_does_not_finish_is_cut_off(self) -> None:
        def client(server: InProcessServer) -> None:
            with self.hold(server) as held:
                self.assertEqual(held.recv(100), b"")

        code, printed = self.run_server(client, "--drain-seconds", "0.3")
        self.assertEqual(code, 0)
        self.assertIn("at most 0.3 s", printed)
        self.assertIn("1 requests did not finish", printed)

    def test_a_second_signal_ends_it_at_once(self) -> None:
        def client(server: InProcessServer) -> None:
            with self.hold(server):
                until(lambda: "stopping" in server.printed())
                server.signal(signal.SIGTERM)
                until(server.has_ended)

        code, printed = self.run_server(client, "--drain-seconds", "300")
        self.assertEqual(code, 1)
        self.assertNotIn("Traceback", printed)


class StopOnTornadoTest(StopTest):
    """Tornado's HTTP server; the meaning of the signals does not depend on it."""

    flags = ("--http-server", "tornado")
    signals = (signal.SIGTERM,)


class NohupTest(ProcessTest):
    measured = True

    def test_a_terminal_that_is_closed_does_not_end_it(self) -> None:
        server = ServerProcess("--mongodb-uri", mongodb_uri(), before=["nohup"])
        self.addCleanup(server.__exit__)
        server.wait_until_it_listens()
        server.signal(signal.SIGHUP)
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)


class BrokenTest(TestCase):
    """A start with code of the project that can't be imported."""

    integration = True

    def test_without_debug(self) -> None:
        for broken in (
            PROGRAM._replace(settings="no_such_module:Settings"),
            PROGRAM._replace(make_app="no_such_module:make_app"),
        ):
            code, text = run_main("--port", "0", "--mongodb-uri", mongodb_uri(), program=broken)
            self.assertEqual(code, 1)
            said = ", line [0-9]+: ModuleNotFoundError: No module named 'no_such_module'$"
            self.assertRegex(text.splitlines()[-1], said)
            self.assertNotIn("Traceback", text)


class DebugTest(ProcessTest):
    def test_reloads_when_a_source_file_changes(self) -> None:
        root = self.folder / "copy"
        package = ENGINE.partition(".")[0]
        half_written, tests = "*.pyc.*", Path(ENGINE.replace(".", "/"), "tests")
        ignored = shutil.ignore_patterns(half_written, "tests")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
        for part in ("sample", "offload"):  # fewer files to look at
            shutil.copytree(ROOT / tests / part, root / tests / part, ignore=ignored)
        shutil.copy(ROOT / tests / "__init__.py", root / tests)
        source = root / f"{PROGRAM.package.replace('.', '/')}/app.py"
        new = source.parent / "new.py"
        right = source.read_text()
        source.write_text("\n(")  # the first start
        server = ServerProcess("--debug", "--data-dir", str(self.folder), root=root)
        self.addCleanup(server.__exit__)
        until(lambda: f"a fix: {source}, line 2: SyntaxError: '(' was " in server.printed())
        self.assertNotIn("Traceback", server.printed())
        source.write_text(right)
        server.wait_until_it_listens()
        (mongod,) = self.mongods()
        good = right.replace('"pong"', '"changed"') + "from . import new\n"
        source.write_text(good)
        line = good.count("\n")
        said = f"the old code goes on: {source}, line {line}: ImportError: cannot import name 'new'"
        until(lambda: said in server.printed())
        self.assertEqual(server.call("/system/ping"), (200, "pong"))
        new.write_text("")  # the fix is in a file that the old code doesn't know
        until(lambda: server.printed().count("settings  ") == 2)
        server.port = int(server.printed().split("listens on ")[2].split()[0].rsplit(":")[-1])
        self.assertEqual(server.call("/system/ping"), (200, "changed"))
        self.assertEqual(self.mongods(), [mongod])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])


def _close(writer: asyncio.StreamWriter, _: object) -> None:
    writer.close()


def program(folder: Path, text: str) -> Path:
    """Make a shell script in place of `mongod`."""
    binary = folder / "mongod"
    binary.write_text(f"#!/bin/sh\n{text}\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return binary
