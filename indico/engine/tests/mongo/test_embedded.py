"""The embedded MongoDB: shared, survived, taken over, and never left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from ...error import StartError
from ...mongo import embedded as module
from ...mongo import mongod_process
from ...mongo.embedded import Embedded
from ...mongo.mongod_binary import find_binary
from ..server_process import ProcessTest, until
from ..server_test import PASSWORD

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


def connected(embedded: Embedded) -> MongoClient[dict[str, Any]]:
    return MongoClient(embedded.uri, w="majority")


def bind(taken: socket.socket, port: int) -> bool:
    with suppress(OSError):
        taken.bind(("127.0.0.1", port))
        return True
    return False


class EmbeddedTest(ProcessTest):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.embedded = self.make()

    def make(self, binary: Path | None = None) -> Embedded:
        return Embedded(self.folder, binary, self.said.append)

    def program(self, text: str) -> Path:
        binary = self.folder / "program"
        binary.write_text(f"#!/bin/sh\n{text}\n")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        return binary

    def write(self, embedded: Embedded, value: int) -> None:
        with connected(embedded) as client:
            client.test_embedded.things.insert_one({"_id": value})

    def read(self, embedded: Embedded) -> list[int]:
        with connected(embedded) as client:
            return sorted(thing["_id"] for thing in client.test_embedded.things.find())


class StartTest(EmbeddedTest):
    def test_data_survives(self) -> None:
        self.embedded.start()
        self.assertTrue(self.embedded.running())
        self.write(self.embedded, 1)
        port = self.embedded.uri
        self.embedded.stop()
        self.assertEqual(self.mongods(), [])
        self.assertFalse(self.embedded.running())
        self.embedded.stop()
        self.embedded.start()
        self.assertEqual(self.embedded.uri, port)
        self.assertEqual(self.read(self.embedded), [1])
        self.embedded.stop()
        self.assertEqual(len(self.said), 2)

    def test_it_is_a_replica_set_with_transactions(self) -> None:
        self.embedded.start()
        with connected(self.embedded) as client, client.start_session() as session:
            with session.start_transaction():
                client.test_embedded.things.insert_one({"_id": 1}, session=session)
            with client.test_embedded.things.watch() as changes:
                client.test_embedded.things.insert_one({"_id": 2})
                self.assertEqual(next(changes)["documentKey"], {"_id": 2})
        self.embedded.stop()

    def test_a_folder_of_version_1_0(self) -> None:
        """Its replica set has another name, which the port file does not tell."""
        with patch.object(module, "_REPLICA_SET", "old"):
            self.embedded.start()
            self.write(self.embedded, 1)
            self.embedded.stop()
        port_file = self.folder / "mongod.port"
        port_file.write_text(port_file.read_text().split()[0])
        embedded = self.make()
        embedded.start()
        self.assertEqual(self.read(embedded), [1])
        self.write(embedded, 2)
        with connected(embedded) as client:
            self.assertEqual(client.admin.command("hello")["setName"], module._REPLICA_SET)
        embedded.stop()
        embedded.start()
        self.assertEqual(self.read(embedded), [1, 2])
        embedded.stop()

    def test_another_program_has_taken_its_port(self) -> None:
        self.embedded.start()
        self.write(self.embedded, 1)
        self.embedded.stop()
        old = self.embedded.uri
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", int((self.folder / "mongod.port").read_text().split()[0])))
            taken.listen()
            with patch.object(module, "CLIENT_SECONDS", 0.5):
                self.embedded.start()
        self.assertNotEqual(self.embedded.uri, old)
        self.assertEqual(self.read(self.embedded), [1])
        self.embedded.stop()

    def test_the_port_belongs_to_the_mongod_of_another_folder(self) -> None:
        self.embedded.start()
        other = Embedded(self.folder / "other", None, self.said.append)
        (self.folder / "other").mkdir()
        (self.folder / "other" / "mongod.port").write_text(
            (self.folder / "mongod.port").read_text()
        )
        other.start()
        self.assertNotEqual(other.uri, self.embedded.uri)
        other.stop()
        self.embedded.stop()

    def test_the_folder_has_two_names(self) -> None:
        self.embedded.start()
        (self.folder / "link").symlink_to(self.folder)
        other = Embedded(self.folder / "link" / ".." / self.folder.name, None, self.said.append)
        other.start()
        self.assertEqual(other.uri, self.embedded.uri)
        self.embedded.stop()

    def test_the_port_file_can_not_be_written(self) -> None:
        (self.folder / "mongod.port").mkdir()
        with self.assertRaisesRegex(StartError, "mongod.port"):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])

    def test_the_log_is_kept_until_it_is_long(self) -> None:
        log = self.folder / "mongod.log"
        log.write_text("what was before\n")
        self.embedded.start()
        self.embedded.stop()
        self.assertTrue(log.read_text().startswith("what was before\n"))
        with patch.object(module, "MAX_LOG_BYTES", 10):
            self.embedded.start()
            self.embedded.stop()
        self.assertNotIn("what was before", log.read_text())

    def test_rubbish_in_the_port_file(self) -> None:
        (self.folder / "mongod.port").write_text("rubbish")
        self.embedded.start()
        self.embedded.stop()

    def test_two_at_the_same_time(self) -> None:
        """The folder is another's, whose port is not known yet."""
        self.embedded.start()
        port_file = self.folder / "mongod.port"
        port = port_file.read_text()
        port_file.unlink()
        other = self.make()
        self.assertFalse(other._spawn(find_binary(None), time.monotonic() + 10))
        port_file.write_text(port)
        other.start()
        self.assertEqual(other.uri, self.embedded.uri)
        self.assertEqual(len(self.mongods()), 1)
        self.embedded.stop()

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
            patch.object(module, "START_SECONDS", 0.3),
            self.assertRaisesRegex(StartError, "does not listen.*mongod.log"),
        ):
            self.make(binary).start()

    def test_it_never_becomes_primary(self) -> None:
        self.embedded.start()
        with (
            connected(self.embedded) as client,
            self.assertRaisesRegex(StartError, "did not become primary"),
        ):
            self.embedded._make_primary(client, time.monotonic())
        self.embedded.stop()

    def test_it_stops_answering_while_it_starts(self) -> None:
        with (
            patch.object(Embedded, "_make_primary", side_effect=AutoReconnect("gone")),
            self.assertRaisesRegex(StartError, "failed .gone."),
        ):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])

    def test_it_is_always_somebody_elses(self) -> None:
        with (
            patch.object(module, "START_SECONDS", 0.3),
            self.assertRaisesRegex(StartError, "did not come up"),
        ):
            self.make(self.program(f"exit {module._FOLDER_IN_USE}")).start()

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

    def test_it_ends_by_itself(self) -> None:
        self.embedded.start()
        (process,) = self.mongods()
        process.kill()
        until(lambda: not self.embedded.running())
        self.embedded.stop()


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


class ServersTest(EmbeddedTest):
    """Several servers, one folder; and servers that end in every way there is."""

    def test_two_servers_share_one_mongod(self) -> None:
        first = self.serve()
        second = self.serve()
        self.assertEqual(len(self.mongods()), 1)
        self.assertNotIn("Starting MongoDB", second.printed())
        _, registered = first.call("/auth/register", REGISTER)
        token = registered["token"]
        self.assertEqual(second.call("/user/get", token=token), (200, registered["user"]))
        mongods = self.mongods()
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.mongods(), mongods)
        self.assertEqual(second.call("/user/get", token=token), (200, registered["user"]))
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.mongods(), [])
        third = self.serve()
        self.assertEqual(third.call("/user/get", token=token), (200, registered["user"]))
        self.assertEqual(third.stop(), 0)

    def test_three_start_at_once(self) -> None:
        servers = [self.start() for _ in range(3)]
        for server in servers:
            server.wait_until_it_listens()
        self.assertEqual(len(self.mongods()), 1)
        for server in servers:
            server.signal(signal.SIGINT)
        self.assertEqual([server.wait() for server in servers], [0, 0, 0])
        self.assertEqual(self.mongods(), [])

    def test_ctrl_c_in_a_terminal_reaches_the_server_alone(self) -> None:
        """A call that waits for its body still has its database."""
        server = self.serve()
        body = json.dumps(REGISTER).encode()
        head = f"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head.encode())
            until(lambda: server.call("/healthz")[0] == 200)
            mongods = self.mongods()
            os.killpg(server.process.pid, signal.SIGINT)
            time.sleep(1)
            self.assertEqual(self.mongods(), mongods)
            client.sendall(body)
            self.assertEqual(client.recv(12), b"HTTP/1.1 401")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(self.mongods(), [])

    def test_server_is_killed(self) -> None:
        server = self.serve()
        _, registered = server.call("/auth/register", REGISTER)
        server.kill()
        server = self.serve()
        self.assertEqual(server.call("/user/get", token=registered["token"])[0], 200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_server_and_mongod_are_killed(self) -> None:
        server = self.serve()
        _, registered = server.call("/auth/register", REGISTER)
        server.kill()
        self.end_all()
        server = self.serve()
        self.assertEqual(server.call("/user/get", token=registered["token"])[0], 200)
        self.assertEqual(server.stop(), 0)

    def test_mongod_is_killed(self) -> None:
        server = self.serve()
        _, registered = server.call("/auth/register", REGISTER)
        self.end_all()
        until(lambda: server.call("/user/get", token=registered["token"])[0] == 200)
        self.assertIn("the embedded MongoDB has ended; starting it again", server.printed())
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_mongod_is_killed_and_comes_back_empty_and_elsewhere(self) -> None:
        server = self.serve()
        port = int((self.folder / "mongod.port").read_text().split()[0])
        (process,) = self.mongods()
        shutil.rmtree(self.folder / "mongodb")
        process.kill()
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            until(lambda: bind(taken, port))
            taken.listen()
            until(lambda: server.call("/readyz")[0] == 200)
            self.assertEqual(server.call("/auth/register", REGISTER)[0], 201)
            self.assertEqual(server.call("/auth/register", REGISTER)[0], 409)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.mongods(), [])

    def test_mongod_is_killed_and_can_not_be_started_again(self) -> None:
        binary = self.folder / "binary"
        binary.symlink_to(find_binary(None))
        server = self.serve("--mongod-binary", str(binary))
        binary.unlink()
        self.end_all()
        until(lambda: "is not a program that can be run" in server.printed())
        self.assertEqual(server.call("/healthz"), (200, "ok"))
        self.assertEqual(server.stop(), 0)
