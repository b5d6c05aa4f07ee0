from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import skipUnless
from unittest.mock import patch

import psutil
from pymongo import MongoClient

from ...doctor import mongodb as doctor
from ...doctor.mongodb import Reached, mongodb
from ...mongo.embedded import Embedded
from ...mongo.inspection import Facts, inspect
from ...mongo.invalid_documents import InvalidDocuments
from ...mongo.mongod_binary import environment, find_binary
from ..sample.app import Settings
from ..server_process import ENGINE, until
from ..server_test import memory, mongodb_uri, test_database
from .doctor_test import DoctorTest

SECRET = "0123456789abcdef0123456789abcdef"


class BinaryTest(DoctorTest):
    """No embedded MongoDB runs, and the doctor starts none."""

    def of(self, **chosen: Any) -> str:
        reached = Reached()
        line = self.one(mongodb, self.settings(**chosen), reached)
        self.assertIsNone(reached.facts)
        self.assertFalse((self.folder / "data").exists())
        self.assertEqual(self.mongods(), [])
        return line

    def program(self, text: str) -> str:
        binary = self.folder / "program"
        binary.write_text(text)
        binary.chmod(0o755)
        return self.of(mongod_binary=binary)

    def test_valid(self) -> None:
        self.assertRegex(self.of(), r"ok: The server starts an embedded MongoDB: .*mongod, \d+\.")

    def test_none(self) -> None:
        line = self.of(mongod_binary=self.folder / "nowhere")
        self.assertIn("nowhere is not a program that can be run.", line)
        with (
            patch(f"{ENGINE}.mongo.mongod_binary._folders", return_value=[]),
            patch("shutil.which", return_value=None),
        ):
            self.assertIn("or set mongodb_uri to a MongoDB that runs elsewhere", self.of())

    def test_a_library_is_missing(self) -> None:
        for library, fix in (
            ("libcurl.so.4", "python3 run.py serve, .* pycurl brings it; or apt install libcurl4"),
            ("libssl.so.3", "apt install the package with libssl.so.3"),
        ):
            says = f"error while loading shared libraries: {library}: cannot open shared object"
            line = self.program(f"#!/bin/sh\necho '{says}' >&2\nexit 127\n")
            self.assertRegex(line, f"lacks {library}. {fix}")

    @skipUnless(sys.platform == "linux", "pycurl is a requirement only here")
    def test_a_slim_system_has_no_libcurl(self) -> None:
        """`mongod` starts all the same, with the libcurl in the wheel of pycurl."""
        with patch(f"{ENGINE}.mongo.mongod_binary.find_library", return_value=None):
            line = self.program('#!/bin/sh\n[ -n "$LD_LIBRARY_PATH" ] && echo "db version v$0"\n')
        self.assertIn("ok: The server starts an embedded MongoDB", line)

    def test_no_program(self) -> None:
        self.assertIn("ends with code 3.", self.program("#!/bin/sh\nexit 3\n"))
        self.assertIn("can't be run (OSError)", self.program("no program"))

    def test_one_that_hangs(self) -> None:
        with patch(f"{ENGINE}.doctor.mongodb._VERSION_SECONDS", 0.1):
            self.assertIn("(TimeoutExpired)", self.program("#!/bin/sh\nexec sleep 60\n"))


class MongoDBTest(DoctorTest):
    """A MongoDB at `uri`, which the doctor examines."""

    uri: str = ""

    def setUp(self) -> None:
        super().setUp()
        self.database = test_database(self)

    def client(self) -> MongoClient[dict[str, Any]]:
        client: MongoClient[dict[str, Any]] = MongoClient(self.uri, directConnection=True)
        self.addCleanup(client.close)
        return client

    def facts(self, options: str = "") -> Facts:
        return asyncio.run(inspect(self.uri + options, self.database, "motor", 4))

    def of(self, check: Callable[..., Any], facts: Facts, **chosen: Any) -> str:
        settings = {"mongodb_uri": "mongodb://db.example.com", "secret_key": SECRET, **chosen}
        return self.one(check, self.settings(**settings), facts)

    def reached(self, settings: Settings) -> Facts:
        reached = Reached()
        self.assertEqual(self.found(mongodb, settings, reached), ["ok"])
        assert reached.facts
        return reached.facts


class ReplicaSetTest(MongoDBTest):
    """The MongoDB of all tests."""

    def setUp(self) -> None:
        super().setUp()
        self.uri = mongodb_uri()
        self.addCleanup(lambda: self.client().drop_database(self.database))

    def test_valid(self) -> None:
        settings = self.settings(mongodb_uri=self.uri, mongodb_database=self.database)
        facts = self.reached(settings)
        for check in doctor.ON_FACTS:
            if check is not doctor.version:
                self.assertIn("ok: ", self.one(check, settings, facts))
        self.assertNotIn(self.database, self.client().list_database_names())

    def test_what_the_uri_may_not_change(self) -> None:
        facts = self.facts("&w=1&journal=false")
        self.assertIn("ok: ", self.of(doctor.write_concern, facts))
        changed = dataclasses.replace(facts, write_concern={"w": 1})
        self.assertIn("fault: Writes ask for {'w': 1}", self.of(doctor.write_concern, changed))

    def test_read_preference(self) -> None:
        facts = self.facts("&readPreference=secondaryPreferred")
        states = self.found(doctor.write_concern, self.settings(), facts)
        self.assertEqual(states, ["ok", "fault"])

    def test_indexes(self) -> None:
        facts = self.facts()
        self.assertIn("sample_users.email_1", facts.missing)
        self.assertIn("ok: The next server to start makes ", self.of(doctor.indexes, facts))
        database = self.client()[self.database]
        database.sample_users.create_index("email")
        facts = self.facts()
        self.assertEqual(facts.conflicting, ("sample_users.email_1",))
        states = self.found(doctor.indexes, self.settings(), facts)
        self.assertEqual(states, ["fault", "ok"])
        full = dataclasses.replace(facts, missing=())
        self.assertIn(
            "fault: Other indexes conflict with sample_users.email", self.of(doctor.indexes, full)
        )
        none = dataclasses.replace(full, conflicting=())
        self.assertIn("ok: All declared", self.of(doctor.indexes, none))

    def test_documents(self) -> None:
        users = self.client()[self.database].sample_users
        facts = self.facts()
        self.assertEqual(facts.invalid, ())
        self.assertIn("ok: All documents are like", self.of(doctor.documents, facts))
        wrong = [{"_id": n, "email": "ada@example.com"} for n in range(5)]
        users.insert_many([*wrong, {"_id": b"\xff", "name": 5}])
        line = self.of(doctor.documents, self.facts())
        seen = "6 documents of sample_users are unlike its model, first 0, 1, 2."
        self.assertIn(f"warning: {seen}", line)
        users.delete_many({"email": "ada@example.com"})
        self.assertIn("first ff.", self.of(doctor.documents, self.facts()))
        late = InvalidDocuments("sample_users", None)
        line = self.of(doctor.documents, dataclasses.replace(facts, invalid=(late,)))
        self.assertIn("ok: MongoDB took too long", line)

    def test_version(self) -> None:
        facts = self.facts()
        for number, state in (
            ("4.4.29", "fault"),
            ("5.0.31", "fault"),
            ("6.0.5", "warning"),
            ("7.0.1", "ok"),
            ("10.0.0-rc1", "ok"),
        ):
            line = self.of(doctor.version, dataclasses.replace(facts, version=number))
            self.assertTrue(line.startswith(state), line)
        embedded = self.of(doctor.version, facts, mongodb_uri=None)
        self.assertEqual(embedded, f"ok: MongoDB {facts.version}. ")

    def test_members(self) -> None:
        facts = self.facts()
        production = {"environment": "production"}
        line = self.of(doctor.replica_set, facts, **production)
        self.assertIn("warning: embedded has 1 members with data", line)
        three = {**facts.hello, "hosts": ["a:1", "b:1", "c:1"]}
        facts = dataclasses.replace(facts, hello=three)
        self.assertIn("ok: embedded, 3 members.", self.of(doctor.replica_set, facts, **production))
        facts = dataclasses.replace(facts, hello={"msg": "isdbgrid"})
        self.assertIn("ok: A sharded", self.of(doctor.replica_set, facts))

    def test_clock(self) -> None:
        facts = self.facts()
        for seconds, line in (
            (1.9, "ok: MongoDB's clock and this machine's agree."),
            (-3, "warning: MongoDB's clock is 3.0 s behind this machine's."),
            (61, "fault: MongoDB's clock is 61.0 s ahead of this machine's."),
        ):
            changed = dataclasses.replace(facts, clock_ahead_seconds=seconds)
            self.assertIn(line, self.of(doctor.clock, changed))


class EmbeddedTest(MongoDBTest):
    """An embedded MongoDB that is running already."""

    def test_one_that_is_changed_step_by_step(self) -> None:
        embedded = Embedded(self.settings().data_dir, None, lambda line: None)
        embedded.start()
        self.uri = embedded.uri
        self.it_is_used_and_left_as_it_is()
        self.another_folder_s_is_not_used()
        self.default_write_concern()
        self.no_primary()
        embedded.stop()
        self.assertEqual(self.mongods(), [])

    def it_is_used_and_left_as_it_is(self) -> None:
        before = sorted(self.folder.rglob("mongod.*"))
        facts = self.reached(self.settings())
        self.assertEqual(facts.hello["setName"], "embedded")
        self.assertEqual(sorted(self.folder.rglob("mongod.*")), before)
        self.assertEqual(len(self.mongods()), 1)

    def another_folder_s_is_not_used(self) -> None:
        (self.folder / "other").mkdir()
        port = (self.folder / "data/mongod.port").read_text()
        (self.folder / "other/mongod.port").write_text(port)
        settings = self.settings(data_dir=self.folder / "other")
        line = self.one(mongodb, settings, Reached())
        self.assertIn("ok: The server starts an embedded", line)

    def default_write_concern(self) -> None:
        self.assertIn("ok: ", self.of(doctor.write_concern, self.facts()))
        with self.client() as client:
            client.admin.command("setDefaultRWConcern", defaultWriteConcern={"w": 1})
        line = self.of(doctor.write_concern, self.facts())
        self.assertIn("warning: ", line)
        self.assertIn("setDefaultRWConcern: 1, defaultWriteConcern: {w: 'majority'}", line)

    def no_primary(self) -> None:
        with self.client() as client:
            client.admin.command("replSetStepDown", 60, force=True)
            line = self.of(doctor.replica_set, self.facts())
            client.admin.command("replSetFreeze", 0)  # else it would not stop for 60 s
        self.assertIn("fault: This member of embedded takes no writes.", line)


class StandaloneTest(MongoDBTest):
    """A server of the class's own, without a replica set."""

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.uri = ""
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-", dir=memory()))
        os.mkdir(f"{folder}/alone")
        process = subprocess.Popen(
            [
                *(str(find_binary(None)), "--dbpath", f"{folder}/alone", "--port", "0"),
                *("--bind_ip", "127.0.0.1", "--nounixsocket", "--logpath", f"{folder}/log"),
                *cls.options,
            ],
            stdout=subprocess.DEVNULL,
            env=cls.enterClassContext(environment()),
        )
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)

        def listens() -> bool:
            assert process.poll() is None, Path(folder, "log").read_text()
            for connection in psutil.Process(process.pid).net_connections():
                cls.uri = f"mongodb://127.0.0.1:{connection.laddr[1]}/?directConnection=true"
            return bool(cls.uri)

        until(listens)

    def test_it_is_a_fault(self) -> None:
        facts = self.facts()
        line = self.of(doctor.replica_set, facts)
        self.assertIn("fault: A single server: no transactions", line)
        self.assertIsNone(facts.default_write_concern)
        self.assertIn("ok: ", self.of(doctor.write_concern, facts))


class UsersTest(StandaloneTest):
    """A server with authentication, and a user with rights to one database."""

    options = ("--auth",)
    bare: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # Without a user MongoDB lets a client on its own machine make an administrator.
        cls.make_user("root", "root", "admin")
        cls.bare, cls.uri = cls.uri, cls.uri.replace("//", "//root:hunter2@")
        cls.make_user("ada", "readWrite", "test_of_ada")
        cls.uri = cls.uri.replace("root", "ada")

    @classmethod
    def make_user(cls, name: str, role: str, database: str) -> None:
        roles = [{"role": role, "db": database}]
        client: MongoClient[dict[str, Any]] = MongoClient(cls.uri, directConnection=True)
        with client:
            client.admin.command("createUser", name, pwd="hunter2", roles=roles)

    def setUp(self) -> None:
        super().setUp()
        self.database = "test_of_ada"

    def test_without_a_user(self) -> None:
        for uri in (self.bare, self.bare.replace("//", "//ada:other@")):
            settings = self.settings(mongodb_uri=uri, mongodb_database=self.database)
            first, _ = mongodb(settings, Reached())
            self.assertEqual(first.state, "fault")
            self.assertIn("MongoDB refuses the user in mongodb_uri", first.seen)


class RefusedTest(MongoDBTest):
    def test_not_reached(self) -> None:
        for uri in ("mongodb://ada:hunter2@127.0.0.1:1/", "postgres://ada:hunter2@db/"):
            reached = Reached()
            settings = self.settings(mongodb_uri=uri, mongodb_timeout_seconds=0.2)
            first, second = mongodb(settings, reached)
            self.assertIsNone(reached.facts)
            self.assertEqual((first.state, second.state), ("fault", "ok"))
            self.assertNotIn("hunter2", first.seen + first.fix)
            self.assertIn("Skipped", second.seen)
