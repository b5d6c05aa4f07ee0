"""Your server in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from indico.tests.server_process import ROOT, ProcessTest
from indico.tests.server_test import PASSWORD, mongodb_uri

REGISTER = {"email": "ada@example.com", "password": PASSWORD}


class LogTest(ProcessTest):
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


class AddressBookTest(ProcessTest):
    """The server of the tutorial."""

    def test_the_settings_file(self) -> None:
        flags = ("--config", "configs/addressbook-local.yaml", "--debug")
        server = self.serve(
            *flags, "--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_local"
        )
        self.assertIn("Address Book listens on", server.printed())
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/addresses", b"{")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        with raised.exception as answer:
            body = json.load(answer)
        self.assertEqual((body["code"], body["message"]), (400, "Invalid JSON body"))
        self.assertTrue(body["trace"][0].startswith("Traceback"))
        self.assertEqual(server.stop(), 0)
