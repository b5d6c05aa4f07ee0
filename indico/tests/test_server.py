"""Your server in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

from pymongo import MongoClient

from indico.engine.tests.server_test import test_database
from indico.tests.server_process import ROOT, ProcessTest
from indico.tests.server_test import PASSWORD, mongodb_uri

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


class LogTest(ProcessTest):
    measured = True

    def test_nothing_secret_is_logged(self) -> None:
        server = self.serve("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_log")
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


class IndexTest(ProcessTest):
    """The indexes that a server makes at its start, of all collections that its app imports."""

    def test_documents_contradict_one(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        users = client[test_database(self)].users
        self.addCleanup(client.drop_database, users.database)
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", users.database.name)
        users.insert_many([{"email_key": "ada@example.com"}, {"email_key": "ada@example.com"}])
        refused = self.start(*flags)
        self.assertEqual(refused.wait(), 1, refused.printed())
        (line,) = refused.printed().splitlines()
        self.assertIn("The unique index email_key_1 of users can't be made", line)
        self.assertIn("the same email_key: 'ada@example.com'", line)
        users.delete_one({})
        self.serve(*flags)
        self.assertIn("email_key_1", users.index_information())
        self.assertEqual(users.options()["validationAction"], "error")
