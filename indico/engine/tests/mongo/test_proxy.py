"""The proxy does to the network what its options say."""

from __future__ import annotations

import socket
import struct
import threading
import time
import unittest
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

import pymongo
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, NetworkTimeout

from ..server_process import until
from ..server_test import mongodb_uri
from .proxy import MAX_WAITING_BYTES, Proxy


class ProxyTest(unittest.TestCase):
    """The proxy in front of MongoDB, with a driver that doesn't retry."""

    integration = True

    def setUp(self) -> None:
        self.proxy = self.enterContext(Proxy(mongodb_uri()))
        self.stored = self.things_at(mongodb_uri())
        self.stored.drop()
        self.addCleanup(self.stored.drop)
        self.things = self.things_at(self.proxy.uri)
        self.things.find_one()

    def things_at(self, uri: str) -> Any:
        options: Any = {"retryWrites": False, "retryReads": False, "timeoutMS": 5000}
        client: MongoClient[dict[str, Any]] = self.enterContext(MongoClient(uri, **options))
        return client["test_proxy"]["things"]

    def test_bytes_pass_unchanged(self) -> None:
        document = {"_id": 1, "large": "äb" * (4 << 20)}
        self.things.insert_one(document)
        self.assertEqual(self.things.find_one(), document)
        for traffic in (self.proxy.requests, self.proxy.answers):
            self.assertGreater(traffic.bytes, 12 << 20)
            self.assertEqual(traffic.messages, 3)

    def test_commands(self) -> None:
        commands: list[dict[str, Any]] = []
        self.proxy.commands = commands
        self.things.insert_one({"_id": 1})
        self.proxy.commands = None
        self.things.find_one()
        self.assertEqual([command["insert"] for command in commands], ["things"])

    def test_delay(self) -> None:
        self.proxy.delay_seconds = 0.05
        started = time.monotonic()
        self.things.find_one()
        self.assertGreaterEqual(time.monotonic() - started, 0.1)

    def test_cut_before_the_request_or_before_the_answer(self) -> None:
        for messages, arrived in ((1, 0), (2, 1)):
            self.proxy.cut_after = messages
            with self.assertRaises(AutoReconnect):
                self.things.insert_one({"_id": messages})
            self.assertEqual(self.stored.count_documents({"_id": messages}), arrived)
            self.things.find_one()

    def test_freeze_requests(self) -> None:
        self.freeze_requests()
        self.assertEqual(self.stored.count_documents({}), 0)
        self.proxy.thaw()
        until(lambda: self.stored.count_documents({}) == 1)

    def test_what_is_frozen_is_lost_when_it_is_cut(self) -> None:
        self.freeze_requests()
        self.proxy.cut()
        self.proxy.thaw()
        self.things.insert_one({"_id": 2})
        self.assertEqual(list(self.stored.find()), [{"_id": 2}])

    def freeze_requests(self) -> None:
        self.proxy.freeze(answers=False)
        with self.assertRaises(NetworkTimeout), pymongo.timeout(0.2):
            self.things.insert_one({"_id": 1})

    def test_freeze_answers(self) -> None:
        self.proxy.freeze(requests=False)
        with self.assertRaises(NetworkTimeout), pymongo.timeout(0.2):
            self.things.insert_one({"_id": 1})
        self.assertEqual(self.stored.count_documents({}), 1)

    def test_refuse(self) -> None:
        self.proxy.refuse = True
        self.things.find_one()
        self.proxy.cut()
        with self.assertRaises(AutoReconnect), pymongo.timeout(0.3):
            while True:
                self.things.find_one()
        self.proxy.refuse = False
        self.assertIsNone(self.things.find_one())

    def test_nobody_listens_behind_it(self) -> None:
        with Proxy("mongodb://127.0.0.1:1/") as proxy, connect(proxy) as client:
            self.assertEqual(receive(client, 1), b"")


class StreamTest(unittest.TestCase):
    """The proxy in front of a server that sends everything back."""

    def setUp(self) -> None:
        self.echo = self.enterContext(Echo())
        self.proxy = self.enterContext(Proxy(self.echo.uri))
        self.client = self.enterContext(connect(self.proxy))
        self.client.settimeout(10)

    def test_a_delay_holds_up_nobody_else(self) -> None:
        """Three hundred messages in small pieces are in flight together, and keep their order."""
        self.proxy.delay_seconds = 0.1
        started = time.monotonic()
        sent = b"".join(message(b"%d" % n) for n in range(300))
        for start in range(0, len(sent), 7):
            self.client.sendall(sent[start : start + 7])
        self.assertEqual(receive(self.client, len(sent)), sent)
        self.assertGreaterEqual(time.monotonic() - started, 0.2)
        self.assertLess(time.monotonic() - started, 15)  # one at a time would take 30

    def test_what_waits_is_bounded(self) -> None:
        self.proxy.freeze(answers=False)
        sent = message(bytes(4 * MAX_WAITING_BYTES))
        sender = threading.Thread(target=self.client.sendall, args=(sent,))
        sender.start()
        until(lambda: self.proxy.requests.bytes > MAX_WAITING_BYTES)
        self.assertLess(self.proxy.requests.bytes, 2 * MAX_WAITING_BYTES)
        self.proxy.thaw()
        self.assertEqual(receive(self.client, len(sent)), sent)
        sender.join()

    def test_the_end_comes_after_all_that_was_sent(self) -> None:
        self.proxy.delay_seconds = 0.05
        sent = message(b"last") + message(b"bye")
        self.client.sendall(sent)
        self.assertEqual(receive(self.client, len(sent) + 1), sent)

    def test_a_client_that_leaves_while_it_is_connected(self) -> None:
        for _ in range(20):
            connect(self.proxy).close()
        until(lambda: (self.echo.accepted, self.echo.open) == (21, 1))

    def test_cut(self) -> None:
        self.client.sendall(message(b"whole"))
        self.assertEqual(len(receive(self.client, 21)), 21)
        self.proxy.cut()
        with self.assertRaises(ConnectionResetError):
            self.client.recv(1)
        until(lambda: self.echo.open == 0)


class Echo:
    """A server on a free port that sends back everything until a client says bye."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"mongodb://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.accepted = self.open = 0
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.accepted += 1
                self.open += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1 << 20):
                connection.sendall(data)
                if data.endswith(b"bye"):
                    break
        self.open -= 1


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(proxy.uri).port))


def message(content: bytes) -> bytes:
    """Return `content` framed as a message of MongoDB."""
    return struct.pack("<4i", 16 + len(content), 0, 0, 0) + content


def receive(client: socket.socket, size: int) -> bytes:
    """Return up to `size` bytes; less if the connection ends."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while len(received) < size and (data := client.recv(1 << 20)):
            received += data
    return bytes(received)
