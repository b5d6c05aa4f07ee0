"""Your server in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

from pymongo import MongoClient

from indico.engine.tests.process.in_process import run_main
from indico.engine.tests.server_test import test_database
from indico.server import PROGRAM
from indico.tests.server_process import ROOT, ProcessTest, ServerProcess
from indico.tests.server_test import PASSWORD, mongodb_uri

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


class ServeTest(ProcessTest):
    """A server, once its database is in order; MongoDB has a collection that it finds first."""

    measured = True

    def setUp(self) -> None:
        super().setUp()
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        self.users = client[test_database(self)].users
        self.addCleanup(client.drop_database, self.users.database)
        database = self.users.database.name
        self.database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", database)

    def test_valid(self) -> None:
        self.refuse_documents_that_contradict_an_index()
        server = self.serve(*self.database)
        self.assertIn("email_key_1", self.users.index_information())
        self.assertEqual(self.users.options()["validationAction"], "error")
        self.users.delete_many({})
        self.log_nothing_secret(server)

    def refuse_documents_that_contradict_an_index(self) -> None:
        """Make the indexes at the start, of all collections that the app imports."""
        twice = {"email_key": "ada@example.com"}
        self.users.insert_many([{**twice}, {**twice}])
        code, printed = run_main(*self.database, program=PROGRAM)
        self.assertEqual(code, 1, printed)
        (line,) = printed.splitlines()
        self.assertIn("The unique index email_key_1 of users can't be made", line)
        self.assertIn("the same email_key: 'ada@example.com'", line)
        self.users.delete_one({})

    def log_nothing_secret(self, server: ServerProcess) -> None:
        _, registered = server.call("/auth/register", REGISTER)
        token = registered["token"]
        changed = {"current_password": PASSWORD, "new_password": "another secret"}
        self.assertEqual(server.call("/user/change_password", changed, token)[0], 200)
        server.call("/auth/login", {**REGISTER, "password": "a wrong secret"})
        server.call(f"/user/get?token={token}", token=token)
        self.assertEqual(server.call("/user/delete", {"password": "another secret"}, token)[0], 200)
        server.stop()
        text = server.printed()
        self.assertEqual(text.count("POST /"), 5, text)
        for secret in (PASSWORD, "secret", token, "argon2"):
            self.assertNotIn(secret, text)


class BrokenCodeTest(ProcessTest):
    def test_a_command_to_a_running_server(self) -> None:
        copy = self.folder / "indico"
        shutil.copytree(ROOT / "indico", copy, ignore=shutil.ignore_patterns("tests"))
        for name in ("app", "config"):
            (copy / f"{name}.py").write_text("(")
        command = [sys.executable, "-m", "indico.server", "--pid-file", "a.pid", "--status"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        said = f"indico: not running: there is no {self.folder.resolve()}/a.pid\n"
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, said, ""))
