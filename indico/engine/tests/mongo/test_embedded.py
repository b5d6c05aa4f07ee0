"""The embedded MongoDB: its start, its stop, and the servers that share it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch

import psutil
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from ...error import StartError
from ...mongo import embedded as module
from ...mongo import mongod_commands, mongod_process
from ...mongo.driver import APPLICATION_NAME
from ...mongo.embedded import Embedded
from ...mongo.mongod_binary import find_binary
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import PASSWORD

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


def connected(embedded: Embedded) -> MongoClient[dict[str, Any]]:
    return MongoClient(embedded.uri, w="majority")


def write(embedded: Embedded, value: int) -> None:
    with connected(embedded) as client:
        client.test_embedded.things.insert_one({"_id": value})


def read(embedded: Embedded) -> list[int]:
    with connected(embedded) as client:
        return sorted(thing["_id"] for thing in client.test_embedded.things.find())


class EmbeddedTest(ProcessTest):
    """`self.embedded` with its data in a folder of the test; `self.reports` has its lines."""

    def setUp(self) -> None:
        super().setUp()
        self.reports: list[str] = []
        self.embedded = self.make()
        self.port_file = self.folder / "mongod.port"

    def make(self, binary: Path | None = None) -> Embedded:
        return Embedded(self.folder, binary, self.reports.append)

    def program(self, text: str) -> Path:
        binary = self.folder / "program"
        binary.write_text(f"#!/bin/sh\n{text}\n")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        return binary


class StartTest(EmbeddedTest):
    def test_data_survives(self) -> None:
        """The port file is rubbish at first, and the log gets too long."""
        self.port_file.write_text("rubbish")
        log = self.folder / "mongod.log"
        log.write_text("an older log\n")
        self.embedded.start()
        self.assertTrue(self.embedded.running())
        write(self.embedded, 1)
        uri = self.embedded.uri
        self.embedded.stop()
        self.assertEqual(self.mongods(), [])
        self.assertFalse(self.embedded.running())
        self.embedded.stop()
        self.assertTrue(log.read_text().startswith("an older log\n"))
        with patch.object(mongod_process, "MAX_LOG_BYTES", 10):
            self.embedded.start()
        self.assertEqual(self.embedded.uri, uri)
        self.assertEqual(read(self.embedded), [1])
        self.assertNotIn("an older log", log.read_text())
        self.assertEqual(len(self.reports), 2)

    def test_a_folder_of_version_1_0(self) -> None:
        """The replica set has another name there, and the port file tells no name."""
        with patch.object(mongod_commands, "REPLICA_SET", "old"):
            self.embedded.start()
        self.port_file.write_text(self.port_file.read_text().split()[0])
        write(self.embedded, 1)
        running = self.make()
        running.start()
        self.assertEqual(running.uri, self.embedded.uri)
        self.embedded.stop()
        embedded = self.make()
        embedded.start()
        self.assertEqual(read(embedded), [1])
        write(embedded, 2)
        with connected(embedded) as client:
            name = client.admin.command("hello")["setName"]
            self.assertEqual(name, mongod_commands.REPLICA_SET)
            self.assertEqual(client.local["system.replset"].count_documents({}), 1)
        self.end_all()
        until(lambda: not embedded.running())
        embedded.stop()
        embedded.start()
        self.assertEqual(read(embedded), [1, 2])
        self.assertEqual(len(self.reports), 3)

    def test_another_program_has_taken_its_port(self) -> None:
        """The change to another port is interrupted, and the old port is free again."""
        self.embedded.start()
        write(self.embedded, 1)
        self.embedded.stop()
        old = self.embedded.uri
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", int(self.port_file.read_text().split()[0])))
            taken.listen()
            with (
                patch.object(module, "CLIENT_SECONDS", 0.5),
                patch.object(module, "end", side_effect=KeyboardInterrupt),
                self.assertRaises(KeyboardInterrupt),
            ):
                self.embedded.start()
        self.assertEqual(self.mongods(), [])
        self.embedded.start()
        self.assertNotEqual(self.embedded.uri, old)
        self.assertEqual(read(self.embedded), [1])

    def test_the_port_file_can_not_be_written(self) -> None:
        self.port_file.mkdir()
        with self.assertRaisesRegex(StartError, "mongod.port"):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])
        self.port_file.rmdir()
        self.embedded.start()
        write(self.embedded, 1)

    def test_it_can_not_be_run(self) -> None:
        binary = self.program("exit 3")
        with self.assertRaisesRegex(StartError, "ended with code 3"):
            self.make(binary).start()
        binary.write_text("rubbish")
        with self.assertRaisesRegex(StartError, "can't be run"):
            self.make(binary).start()

    def test_it_never_listens(self) -> None:
        binary = self.program("exec sleep 60")
        with (
            patch.object(module, "START_SECONDS", 0.1),
            self.assertRaisesRegex(StartError, "does not listen.*mongod.log"),
        ):
            self.make(binary).start()

    def test_it_stops_answering_while_it_starts(self) -> None:
        with (
            patch.object(Embedded, "_make_primary", side_effect=AutoReconnect("gone")),
            self.assertRaisesRegex(StartError, "failed .gone."),
        ):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])

    def test_the_folder_is_always_in_use(self) -> None:
        with (
            patch.object(module, "START_SECONDS", 0.1),
            self.assertRaisesRegex(StartError, "did not come up"),
        ):
            self.make(self.program(f"exit {mongod_process._FOLDER_IN_USE}")).start()

    def test_folder_can_not_be_made(self) -> None:
        (self.folder / "file").write_text("")
        with self.assertRaisesRegex(StartError, "data_dir: .*Not a directory"):
            Embedded(self.folder / "file" / "data", None, print).start()


class StopTest(EmbeddedTest):
    def test_it_hangs(self) -> None:
        self.embedded.start()
        (process,) = self.mongods()
        process.suspend()
        with (
            patch.object(mongod_process, "STOP_SECONDS", 0.3),
            patch.object(module, "CLIENT_SECONDS", 0.3),
        ):
            self.embedded.stop()
        self.assertEqual(self.mongods(), [])


class RunningTest(ProcessTest):
    """One embedded MongoDB that runs, for all tests."""

    shared: Path
    embedded: Embedded

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-"))
        cls.shared = Path(folder)
        cls.embedded = Embedded(cls.shared, None, lambda line: None)
        cls.embedded.start()
        cls.addClassCleanup(cls.embedded.stop)

    def setUp(self) -> None:
        self.folder = self.shared
        self.reports: list[str] = []

    def make(self, folder: Path) -> Embedded:
        return Embedded(folder, None, self.reports.append)

    def test_it_is_a_replica_set_with_transactions(self) -> None:
        with connected(self.embedded) as client, client.start_session() as session:
            with session.start_transaction():
                client.test_embedded.things.insert_one({"_id": 1}, session=session)
            with client.test_embedded.things.watch() as changes:
                client.test_embedded.things.insert_one({"_id": 2})
                self.assertEqual(next(changes)["documentKey"], {"_id": 2})

    def test_the_port_belongs_to_the_mongod_of_another_folder(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        (folder / "mongod.port").write_text((self.folder / "mongod.port").read_text())
        other = self.make(folder)
        other.start()
        self.addCleanup(other.stop)
        self.assertNotEqual(other.uri, self.embedded.uri)

    def test_the_folder_has_two_names(self) -> None:
        (self.folder / "link").symlink_to(self.folder)
        other = self.make(self.folder / "link" / ".." / self.folder.name)
        other.start()
        self.assertEqual(other.uri, self.embedded.uri)

    def test_two_start_at_the_same_time(self) -> None:
        """The first one has the folder, but has not yet written its port."""
        port_file = self.folder / "mongod.port"
        port = port_file.read_text()
        port_file.unlink()
        other = self.make(self.folder)
        self.assertFalse(other._spawn(find_binary(None), time.monotonic() + 10))
        port_file.write_text(port)
        other.start()
        self.assertEqual(other.uri, self.embedded.uri)
        self.assertEqual(len(self.mongods()), 1)

    def test_another_server_uses_it(self) -> None:
        appname = f"{APPLICATION_NAME} 1"
        other: MongoClient[dict[str, Any]] = MongoClient(self.embedded.uri, appname=appname)
        with other, patch.object(mongod_commands, "OTHERS_SECONDS", 0.1):
            other.admin.command("ping")
            mongods = self.mongods()
            self.embedded.stop()
            self.assertEqual(self.mongods(), mongods)
        self.embedded.start()
        self.assertEqual(self.mongods(), mongods)

    def test_it_ends_while_it_is_looked_at(self) -> None:
        with patch.object(Embedded, "_make_primary", side_effect=AutoReconnect("gone")):
            self.assertFalse(self.make(self.folder)._use_running())

    def test_it_never_becomes_primary(self) -> None:
        with (
            connected(self.embedded) as client,
            self.assertRaisesRegex(StartError, "did not become primary"),
        ):
            self.embedded._make_primary(client, time.monotonic())


class ProcessEndTest(TestCase):
    def test_a_child_whose_threads_are_ending(self) -> None:
        """Its first thread is a zombie already, and the others still hold its sockets."""
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


class ServersTest(ProcessTest):
    """Several servers with one folder, which end in every way there is."""

    flags = ("--mongodb-timeout-seconds", "1")

    def test_three_servers_share_one_mongod(self) -> None:
        servers = [self.start() for _ in range(3)]
        for server in servers:
            server.wait_until_it_listens()
        first, second, third = servers
        mongods = self.mongods()
        self.assertEqual(len(mongods), 1)
        _, registered = first.call("/auth/register", REGISTER)
        answer = (200, registered["user"])
        self.assertEqual(second.call("/user/get", token=registered["token"]), answer)
        first.signal(signal.SIGINT)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.mongods(), mongods)
        second.kill()
        self.assertEqual(third.call("/user/get", token=registered["token"]), answer)
        self.assertEqual(third.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_killed(self) -> None:
        """The server is killed, then `mongod` under another server, then both."""
        server = self.serve()
        _, registered = server.call("/auth/register", REGISTER)

        def is_there() -> bool:
            status, user = server.call("/user/get", token=registered["token"])
            return (status, user) == (200, registered["user"])

        server.kill()
        self.assertEqual(len(self.mongods()), 1)
        server = self.serve()
        self.assertNotIn("Starting MongoDB", server.printed())
        self.assertTrue(is_there())
        self.end_all()
        until(is_there)
        self.assertIn("the embedded MongoDB has ended; starting it again", server.printed())
        server.kill()
        self.end_all()
        server = self.serve()
        self.assertTrue(is_there())
        self.stop_by_ctrl_c_during_a_call(server)

    def stop_by_ctrl_c_during_a_call(self, server: ServerProcess) -> None:
        """Signal the whole process group, as a terminal does; the call still has its database."""
        body = json.dumps({**REGISTER, "password": "wrong password"}).encode()
        head = f"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head.encode())
            until(lambda: server.call("/healthz")[0] == 200)
            mongods = self.mongods()
            self.assertEqual([os.getpgid(mongod.pid) for mongod in mongods], [mongods[0].pid])
            os.killpg(server.process.pid, signal.SIGINT)
            until(lambda: "stopping" in server.printed())
            self.assertEqual(self.mongods(), mongods)
            client.sendall(body)
            self.assertEqual(client.recv(12), b"HTTP/1.1 401")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.mongods(), [])
