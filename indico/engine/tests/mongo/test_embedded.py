"""The embedded MongoDB: its start and its stop."""

from __future__ import annotations

import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from ...error import StartError
from ...mongo import embedded as module
from ...mongo import mongod_commands, mongod_process
from ...mongo.driver import APPLICATION_NAME
from ...mongo.embedded import Embedded
from ...mongo.mongod_binary import find_binary
from ..server_process import ProcessTest, until
from ..server_test import memory


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

    varies_with = ()

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
    seconds = 19

    def test_data_survives(self) -> None:
        """The port file is rubbish at first, and the log gets too long. At last MongoDB hangs."""
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
        self.stops_answering_while_it_starts()
        with patch.object(mongod_process, "MAX_LOG_BYTES", 10):
            self.embedded.start()
        self.assertEqual(self.embedded.uri, uri)
        self.assertEqual(read(self.embedded), [1])
        self.assertNotIn("an older log", log.read_text())
        self.assertEqual(len(self.reports), 3)
        self.hangs()

    def stops_answering_while_it_starts(self) -> None:
        with (
            patch.object(Embedded, "_make_primary", side_effect=AutoReconnect("gone")),
            self.assertRaisesRegex(StartError, "failed .gone."),
        ):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])

    def hangs(self) -> None:
        (process,) = self.mongods()
        process.suspend()
        with (
            patch.object(mongod_process, "STOP_SECONDS", 0.3),
            patch.object(module, "CLIENT_SECONDS", 0.3),
        ):
            self.embedded.stop()
        self.assertEqual(self.mongods(), [])

    def test_a_folder_of_version_1_0(self) -> None:
        """The replica set has another name there, and the port file tells no name.

        The folder has seen a start whose port file could not be written.
        """
        with patch.object(mongod_commands, "REPLICA_SET", "old"):
            self.can_not_write_the_port_file()
            self.embedded.start()
        self.port_file.write_text(self.port_file.read_text().split()[0])
        write(self.embedded, 1)
        running = self.make()
        running.start()
        self.assertEqual(running.uri, self.embedded.uri)
        self.embedded.stop()
        self.embedded = self.make()
        self.embedded.start()
        self.assertEqual(read(self.embedded), [1])
        write(self.embedded, 2)
        with connected(self.embedded) as client:
            name = client.admin.command("hello")["setName"]
            self.assertEqual(name, mongod_commands.REPLICA_SET)
            self.assertEqual(client.local["system.replset"].count_documents({}), 1)
        self.end_all()
        until(lambda: not self.embedded.running())
        self.embedded.stop()
        self.moves_to_another_port()
        self.assertEqual(read(self.embedded), [1, 2])
        self.assertEqual(len(self.reports), 5)

    def can_not_write_the_port_file(self) -> None:
        self.port_file.mkdir()
        with self.assertRaisesRegex(StartError, "mongod.port"):
            self.embedded.start()
        self.assertEqual(self.mongods(), [])
        self.port_file.rmdir()

    def moves_to_another_port(self) -> None:
        """Interrupt the change from a port that another program has, and free the old port."""
        old = self.embedded.uri
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", int(self.port_file.read_text().split()[0])))
            taken.listen()
            with (
                patch.object(module, "CLIENT_SECONDS", 2),
                patch.object(module, "end", side_effect=KeyboardInterrupt),
                self.assertRaises(KeyboardInterrupt),
            ):
                self.embedded.start()
        self.assertEqual(self.mongods(), [])
        self.embedded.start()
        self.assertNotEqual(self.embedded.uri, old)

    def test_no_other_user_can_read_its_log(self) -> None:
        """The log has names of collections and users."""
        log = self.folder / "mongod.log"
        log.write_text("")
        log.chmod(0o644)
        self.folder.chmod(0o755)
        with self.assertRaises(StartError):
            self.make(self.program("exit 3")).start()
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)
        new = Embedded(self.folder / "a/b", self.program("exit 3"), self.reports.append)
        with self.assertRaises(StartError):
            new.start()
        self.assertEqual((self.folder / "a/b").stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.folder / "a/b/mongod.log").stat().st_mode & 0o777, 0o600)

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

    def test_the_folder_is_always_in_use(self) -> None:
        with (
            patch.object(module, "time", Skipping()),
            self.assertRaisesRegex(StartError, "did not come up"),
        ):
            self.make(self.program(f"exit {mongod_process._FOLDER_IN_USE}")).start()
        self.assertEqual(len(self.reports), 1)

    def test_folder_can_not_be_made(self) -> None:
        (self.folder / "file").write_text("")
        with self.assertRaisesRegex(StartError, "data_dir: .*Not a directory"):
            Embedded(self.folder / "file" / "data", None, print).start()


class Skipping:
    """A clock on which a pause takes no time, and the time to start is over after two of them."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += module.START_SECONDS / 2


class RunningTest(ProcessTest):
    """One embedded MongoDB that runs, for all tests."""

    varies_with = ()
    shared: Path
    embedded: Embedded

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-", dir=memory()))
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
