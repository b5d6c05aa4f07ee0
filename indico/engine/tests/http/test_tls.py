"""The server behind TLS, with a certificate that `openssl` makes for this run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tornado.httpserver import HTTPServer
from tornado.testing import gen_test
from tornado.web import RequestHandler

from ...http import server as http_server
from ...http.server import FastHTTPServer
from ..server_test import read_answer
from .http_servers import HTTPServerTest, get, post_head


@functools.cache
def certificate() -> tuple[str, str]:
    """Return a certificate for `localhost` and 127.0.0.1, and its key, in PEM."""
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        key, crt = Path(folder, "key.pem"), Path(folder, "crt.pem")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "2"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(crt)),
            ],
            check=True,
            capture_output=True,
        )
        return crt.read_text(), key.read_text()


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w", prefix="tests-") as file:
        file.write("".join(certificate()))
        file.flush()
        context.load_cert_chain(file.name)
    return context


class EchoHandler(RequestHandler):
    def post(self) -> None:
        self.set_header("X-Url", self.request.full_url())
        self.set_header("X-Protocol", self.request.protocol)
        self.write(self.request.body)


class TLSServerTest(HTTPServerTest):
    settings = {"max_body_bytes": 1 << 30}  # noqa: RUF012
    routes = [(r"/", EchoHandler)]  # noqa: RUF012

    def get_http_server(self) -> HTTPServer:
        return type(self).make(self._app, self.config, server_context())

    async def connect_with_tls(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cadata=certificate()[0])
        return await self.connect(ssl=context, server_hostname="localhost")

    def post_of(self, body: bytes) -> bytes:
        return post_head(b"/", b"Content-Length: %d" % len(body)) + body

    async def answers(self, *bodies: bytes) -> dict[str, Any]:
        """Send `bodies` on one connection, all at once; return the headers of the last answer."""
        reader, writer = await self.connect_with_tls()
        writer.write(b"".join(map(self.post_of, bodies)))
        for body in bodies:
            status, headers, answer = await read_answer(reader)
            self.assertEqual(status, 200)
            self.assertEqual(len(answer), len(body))
            self.assertEqual(answer, body)
        return headers


class TLSTest(TLSServerTest):
    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        headers = await self.answers(b"one", b"", b"three")
        self.assertEqual((headers["x-protocol"], headers["x-url"]), ("https", "https://a/"))

    @gen_test(timeout=60)
    async def test_large(self) -> None:
        await self.answers(bytes(range(256)) * 4096 * 8)

    @gen_test(timeout=60)
    async def test_many_at_once(self) -> None:
        await asyncio.gather(*[self.answers(b"x" * 10_000) for _ in range(50)])

    @gen_test(timeout=60)
    async def test_connection_close(self) -> None:
        reader, writer = await self.connect_with_tls()
        writer.write(self.post_of(b"").replace(b"Host: a", b"Host: a\r\nConnection: close"))
        self.assertIn(b"\r\nConnection: close\r\n", await reader.read())

    @gen_test(timeout=60)
    async def test_what_is_no_tls_is_closed(self) -> None:
        logging.disable(logging.WARNING)
        self.addCleanup(logging.disable, logging.NOTSET)
        for sent in (get(), b"\x16\x03\x01\x00\x05hello", bytes(100)):
            reader, writer = await self.connect()
            writer.write(sent)
            with contextlib.suppress(ConnectionError):
                self.assertNotIn(b"HTTP", await reader.read())
        await self.answers(b"")

    @gen_test(timeout=60)
    async def test_half_a_handshake(self) -> None:
        for sent in (b"", bytes.fromhex("1603010200010001fc0303")):
            _, writer = await self.connect()
            writer.write(sent)
            await self.answers(b"")
            writer.close()
        await self.answers(b"")


class HandshakeTest(TLSServerTest):
    def setUp(self) -> None:
        patched = patch.object(http_server, "HANDSHAKE_SECONDS", 3)
        patched.start()
        self.addCleanup(patched.stop)
        super().setUp()

    @gen_test(timeout=60)
    async def test_handshakes_are_counted(self) -> None:
        server = self.http_server
        if not isinstance(server, FastHTTPServer):
            return
        _, writer = await self.connect()
        while server.handshakes == 0:
            await asyncio.sleep(0.01)
        await self.answers(b"")
        self.assertEqual(server.handshakes, 1)
        writer.close()
        while server.handshakes:
            await asyncio.sleep(0.01)
