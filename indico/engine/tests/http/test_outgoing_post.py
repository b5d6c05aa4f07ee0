"""Requests to URLs that users chose, to real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any
from unittest import IsolatedAsyncioTestCase
from unittest.mock import patch

from tornado.netutil import Resolver
from tornado.testing import gen_test

from ...error import ServerError
from ...http import outgoing_post
from ...http.outgoing_post import Received, Unreachable, post
from ...http.public_addresses import PublicResolver
from ...mongo.transactions import in_transaction
from ..server_test import ServerTest
from .receiver import PATIENCE, Receiver, answer
from .test_tls import certificate, server_context

BODY = b'{"type": "note.created"}'


class PostTest(IsolatedAsyncioTestCase):
    """`send` allows private addresses, which loopback is one of."""

    async def asyncSetUp(self) -> None:
        self.receiver = await self.start()

    async def start(self, host: str = "127.0.0.1") -> Receiver:
        receiver = Receiver()
        await receiver.start(host)
        self.addAsyncCleanup(receiver.close)
        return receiver

    async def send(self, url: str = "", private: bool = True, seconds: float = 60) -> Received:
        headers = {"X-Signature": "of the body"}
        return await post(url or self.receiver.url, BODY, headers, seconds=seconds, private=private)


class AnswerTest(PostTest):
    async def test_valid(self) -> None:
        self.receiver.answer = answer(202, b"thanks", Retry_After="5")
        received = await self.send()
        self.assertEqual((received.status, received.beginning), (202, b"thanks"))
        self.assertEqual(received.headers["Retry-After"], "5")
        request = await self.receiver.next()
        self.assertEqual(request.start, "POST /events?from=here HTTP/1.1")
        self.assertEqual((request.headers["x-signature"], request.body), ("of the body", BODY))

    async def test_an_error(self) -> None:
        self.receiver.answer = answer(500, b"no")
        self.assertEqual((await self.send())[::2], (500, b"no"))

    async def test_a_redirect(self) -> None:
        """A redirect is an answer like any other, and nobody goes there."""
        other = await self.start()
        for status in (301, 302, 303, 307, 308):
            self.receiver.answer = answer(status, Location=other.url)
            self.assertEqual((await self.send()).status, status)
        self.assertTrue(other.requests.empty())

    async def test_an_interim_answer(self) -> None:
        self.receiver.answer = [b"HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n", *answer(200, b"end")]
        received = await self.send()
        self.assertEqual((received.status, received.beginning), (200, b"end"))
        self.assertNotIn("X-A", received.headers)

    async def test_a_long_body(self) -> None:
        self.receiver.answer = answer(200, b"ab" * 5000)
        self.assertEqual((await self.send()).beginning, b"ab" * 250)

    async def test_a_body_that_is_too_large(self) -> None:
        """The body is cut off, and the status counts."""
        self.receiver.answer = [*answer(200, Content_Length="1000001"), b"x" * 1000]
        self.assertEqual((await self.send())[::2], (200, b""))
        chunked = answer(200, Transfer_Encoding="chunked")[0].replace(b"Content-Length: 0\r\n", b"")
        chunk = b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
        self.receiver.answer = [chunked, *([chunk] * 20)]
        self.assertEqual((await self.send())[::2], (200, b"x" * 500))

    async def test_a_body_that_ends_early(self) -> None:
        self.receiver.answer = answer(200, b"half", Content_Length="8")
        self.assertEqual((await self.send())[::2], (200, b"half"))

    async def test_a_body_that_never_ends(self) -> None:
        """The answer counts once its head has come; before, there is none."""
        self.receiver.answer, self.receiver.holds = answer(200, Content_Length="8"), True
        try:
            received = await self.send(seconds=0.2)
        except Unreachable:
            return  # the head took longer
        self.assertEqual(received.status, 200)


class UnreachableTest(PostTest):
    async def assert_unreachable(
        self, url: str = "", seconds: float = 60, reason: str = ""
    ) -> None:
        with self.assertRaisesRegex(Unreachable, reason):
            await self.send(url, seconds=seconds)

    async def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        await self.assert_unreachable(f"http://127.0.0.1:{port}/", reason="refused")

    async def test_no_answer(self) -> None:
        self.receiver.answer, self.receiver.holds = [], True
        await self.assert_unreachable(seconds=0.1, reason="Timeout")

    async def test_closed_without_an_answer(self) -> None:
        self.receiver.answer = []
        await self.assert_unreachable(reason="closed")

    async def test_no_http(self) -> None:
        for nonsense in (b"hello\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x00" * 70_000):
            self.receiver.answer = [nonsense]
            await self.assert_unreachable()

    async def test_an_unknown_host(self) -> None:
        await self.assert_unreachable("http://nowhere.invalid/")
        await self.assert_unreachable(f"http://{'a' * 64}.example/")

    async def test_a_certificate_that_nobody_trusts(self) -> None:
        server = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=server_context()
        )
        self.addCleanup(server.close)
        port = server.sockets[0].getsockname()[1]
        with self.assertLogs(level="WARNING"):  # of both sides
            await self.assert_unreachable(f"https://127.0.0.1:{port}/", reason="CERTIFICATE")


class Names(Resolver):
    """A resolver that gives the addresses of each of `answers` once, and the last ones for ever."""

    def initialize(self, *answers: tuple[str, int] | list[tuple[str, int]]) -> None:
        self.answers = [each if isinstance(each, list) else [each] for each in answers]
        self.questions = 0

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        found = self.answers[min(self.questions, len(self.answers) - 1)]
        self.questions += 1
        return [(socket.AF_INET, address) for address in found]


class TLSTest(PostTest):
    """A receiver with a certificate of `localhost` that this test trusts."""

    async def asyncSetUp(self) -> None:
        self.receiver = Receiver()
        await self.receiver.start(tls=server_context())
        self.addAsyncCleanup(self.receiver.close)
        trusting = ssl.create_default_context(cadata=certificate()[0])
        defaults = "tornado.simple_httpclient._client_ssl_defaults"
        self.enterContext(patch(defaults, lambda: trusting))
        self.port = self.receiver.address[1]

    async def test_valid(self) -> None:
        self.assertEqual((await self.send(f"https://localhost:{self.port}/")).status, 204)
        self.assertEqual((await self.receiver.next()).body, BODY)

    async def test_another_name(self) -> None:
        """The certificate is of the name in the URL, whatever address was connected."""
        resolver = PublicResolver(names=Names(self.receiver.address), is_allowed=lambda _: True)
        with (
            patch.object(outgoing_post, "PublicResolver", lambda: resolver),
            self.assertLogs(level="WARNING"),
            self.assertRaisesRegex(Unreachable, "CERTIFICATE"),
        ):
            await self.send(f"https://a.example:{self.port}/", private=False)
        self.assertTrue(self.receiver.requests.empty())


class PublicTest(PostTest):
    async def test_loopback(self) -> None:
        port = self.receiver.address[1]
        hosts = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "[::1]")
        for host in (*hosts, "[::ffff:127.0.0.1]", "user:secret@127.0.0.1", "8.8.8.8@127.0.0.1"):
            with self.subTest(host=host), self.assertRaises(Unreachable):
                await self.send(f"http://{host}:{port}/", private=False)
        self.assertTrue(self.receiver.requests.empty())

    async def test_the_checked_address_is_the_one_that_is_connected(self) -> None:
        """A name that resolves to another address a moment later has no effect."""
        public, inside = await self.start("127.0.0.2"), await self.start("127.0.0.3")
        names = Names([inside.address, public.address], inside.address)
        with self.resolving(names, lambda address: address == "127.0.0.2"):
            self.assertEqual((await self.send("http://a.example/", private=False)).status, 204)
            self.assertEqual((await public.next()).headers["host"], "a.example")
            self.assertEqual(names.questions, 1)
            with self.assertRaisesRegex(Unreachable, "a.example has no public address"):
                await self.send("http://a.example/", private=False)
        self.assertTrue(inside.requests.empty())

    def resolving(self, names: Resolver, is_allowed: Callable[[str], bool]) -> Any:
        resolver = PublicResolver(names=names, is_allowed=is_allowed)
        return patch.object(outgoing_post, "PublicResolver", lambda: resolver)


class TransactionTest(ServerTest):
    varies_with = ()

    @gen_test(timeout=PATIENCE)
    async def test_in_a_transaction(self) -> None:
        """A request can't be undone."""
        receiver = Receiver()
        await receiver.start()
        with self.assertRaisesRegex(ServerError, "Can't make an HTTP request in a transaction"):
            await in_transaction(lambda: post(receiver.url, b"", {}, seconds=60, private=True))
        await receiver.close()
        self.assertTrue(receiver.requests.empty())
