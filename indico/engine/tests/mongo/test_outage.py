"""MongoDB goes away under a running server, and comes back."""

from __future__ import annotations

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
    """Servers of one MongoDB, which is killed or frozen."""

    seconds = 17

    def setUp(self) -> None:
        super().setUp()
        self.embedded = Embedded(self.folder, None, lambda line: None)
        self.embedded.start()

    def start(self, *flags: str) -> ServerProcess:
        uri = ("--mongodb-uri", self.embedded.uri)
        return super().start(*uri, "--mongodb-timeout-seconds", "1", *flags)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.end_all()
        yield
        self.embedded.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        (process,) = self.mongods()
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def test_the_servers_go_on_and_stop(self) -> None:
        """A frozen MongoDB holds its connections, and more calls wait than there are threads."""
        self.server, other = self.start(), self.start()
        for server in (self.server, other):
            server.wait_until_it_listens()
        _, registered = self.server.call("/auth/register", REGISTER)
        self.token = registered["token"]
        with self.stopped():
            self.survive(CALLS)
            self.stop(other)
        self.recover()
        with self.frozen():
            self.survive([("/user/get", {})] * 100)
        self.recover()
        with self.frozen():
            self.stop(self.server)

    def stop(self, server: ServerProcess) -> None:
        self.assertEqual(server.call("/auth/login", REGISTER)[0], 503)
        self.assertEqual(server.stop(), 0)

    def survive(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        """Check that every call is answered 503 in time, and that the server lives.

        A busy machine delays the answers, but not all of them for as long as PyMongo would wait.
        """
        with ThreadPoolExecutor(len(calls)) as pool:
            answers = list(pool.map(self.call, calls))
        for call, (status, _) in zip(calls, answers, strict=True):
            with self.subTest(call=call[0]):
                self.assertEqual(status, 503)
        self.assertLess(min(seconds for _, seconds in answers), 15)
        self.assertEqual(self.server.call("/system/ping"), (200, "pong"))
        self.assertEqual(self.server.call("/healthz"), (200, "ok"))
        self.assertEqual(self.server.call("/readyz")[0], 503)

    def call(self, call: tuple[str, Any]) -> tuple[int, float]:
        started = time.monotonic()
        status, _ = self.server.call(*call, token=self.token)
        return status, time.monotonic() - started

    def recover(self) -> None:
        until(lambda: self.server.call("/readyz")[0] == 200)
        until(self.account_is_there)

    def account_is_there(self) -> bool:
        status, user = self.server.call("/user/get", token=self.token)
        return status == 200 and (user["email"], user["name"]) == ("ada@example.com", None)
