"""Your server in a process of its own."""

from __future__ import annotations

from indico.tests.server_process import ProcessTest
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
