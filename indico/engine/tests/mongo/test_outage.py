"""MongoDB goes away under a running server, and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ...mongo.embedded import Embedded
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import PASSWORD

REGISTER = {"email": "ada@example.com", "password": PASSWORD}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/auth/register", {**REGISTER, "email": "eve@example.com"}),
    ("/auth/login", REGISTER),
    ("/auth/check", {}),
    ("/auth/logout", {}),
    ("/user/get", {}),
    ("/user/update", {"update_user": {"name": "A"}}),
    ("/user/delete", {"password": PASSWORD}),
]


class OutageTest(ProcessTest):
    flags = ("--mongodb-timeout-seconds", "0.5")

    def setUp(self) -> None:
        super().setUp()
        self.mongodb = Embedded(self.folder, None, lambda line: None)
        self.mongodb.start()
        self.addCleanup(self.mongodb.stop)
        self.server = self.serve("--mongodb-uri", self.mongodb.uri)
        _, registered = self.server.call("/auth/register", REGISTER)
        self.token = registered["token"]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.end_all()
        yield
        self.mongodb.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        (process,) = self.mongods()
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def call(self, call: tuple[str, Any]) -> tuple[int, float]:
        started = time.monotonic()
        status, _ = self.server.call(*call, token=self.token)
        return status, time.monotonic() - started

    def survive(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        """Every call is answered 503 in time, and the server lives."""
        with ThreadPoolExecutor(len(calls)) as pool:
            for call, (status, seconds) in zip(calls, pool.map(self.call, calls), strict=True):
                with self.subTest(call=call[0]):
                    self.assertEqual(status, 503)
                    self.assertLess(seconds, 3)
        self.assertEqual(self.server.call("/system/ping"), (200, "pong"))
        self.assertEqual(self.server.call("/healthz"), (200, "ok"))
        self.assertEqual(self.server.call("/readyz")[0], 503)

    def recover(self, server: ServerProcess) -> None:
        until(lambda: server.call("/readyz")[0] == 200)
        until(lambda: server.call("/user/get", token=self.token)[0] == 200)
        _, user = server.call("/user/get", token=self.token)
        self.assertEqual((user["email"], user["name"]), ("ada@example.com", None))
        self.assertEqual(server.stop(), 0)

    def test_stopped(self) -> None:
        with self.stopped():
            self.survive(CALLS)
        self.recover(self.server)

    def test_the_server_stops_meanwhile(self) -> None:
        for away in (self.stopped, self.frozen):
            with away():
                self.call(("/user/get", {}))
                self.server.signal(signal.SIGTERM)
                self.assertEqual(self.server.wait(15), 0)
            self.server = self.serve("--mongodb-uri", self.mongodb.uri)

    def test_frozen(self) -> None:
        """It holds its connections and does not answer; many more wait than there are threads."""
        with self.frozen():
            self.survive([("/user/get", {})] * 100)
        self.recover(self.server)
