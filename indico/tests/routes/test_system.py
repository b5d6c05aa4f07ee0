from __future__ import annotations

from indico.tests.server_test import ServerTest


class PingTest(ServerTest):
    def test_valid(self) -> None:
        for body in (b"{}", b""):
            self.assertEqual(self.data(self.post("/system/ping", body)), "pong")

    def test_unknown_field(self) -> None:
        self.error(self.post("/system/ping", {"more": 1}), 400, "invalid_argument", "more")

    def test_malformed(self) -> None:
        self.error(self.post("/system/ping", b"{"), 400, "malformed")


class EchoTest(ServerTest):
    def test_valid(self) -> None:
        body = {"a": [1, 2.5, None, True, "\u00e9\U0001f511\x00"], "$b.c": {"": -(2**63)}}
        self.assertEqual(self.data(self.post("/system/echo", body)), body)
        self.assertEqual(self.data(self.post("/system/echo", b"")), {})

    def test_wrong_type(self) -> None:
        self.error(self.post("/system/echo", b"[1]"), 400, "malformed")
