"""`deploy/nginx.conf` in Debian's nginx: requests that are passed, and nginx's own answers."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
from typing import ClassVar

from tornado.testing import gen_test
from tornado.websocket import websocket_connect

from indico.engine.tests.http.http_servers import get, our_server, post_head, until
from indico.engine.tests.http.test_tls import certificate
from indico.engine.tests.server_test import read_answer
from indico.tests.deploy.nginx import free_ports, needs_nginx
from indico.tests.deploy.nginx_test import AskedHandler, NginxTest, StreamHandler
from indico.tests.deploy.programs import DEPLOY

CONFIGURATION = DEPLOY.joinpath("nginx.conf").read_text()


@needs_nginx
class PassingTest(NginxTest):
    @gen_test(timeout=60)
    async def test_client_is_not_believed(self) -> None:
        sent = [
            *(b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: https", b"X-Real-IP: 1.2.3.4"),
            *(b"X-Scheme: https", b"Forwarded: for=1.2.3.4", b"X-Forwarded-Host: b"),
            *(b"X-Forwarded-For: 5.6.7.8", b"Upgrade: h2c", b"Connection: upgrade, x-real-ip"),
            b"X-Request-Id: not \xff sane",
        ]
        status, _, body = await self.answer(get(b"/asked", *sent))
        self.assertEqual(status, 200)
        asked = {name.lower(): value for name, value in json.loads(body)["headers"]}
        self.assertRegex(asked.pop("x-request-id"), "^[0-9a-f]{32}$")
        believed = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}
        self.assertEqual(asked, {"host": "a", "x-forwarded-proto": "http", **believed})

    @gen_test(timeout=60)
    async def test_server_knows_the_client(self) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.nginx.port, local_addr=("127.0.0.2", 0)
        )
        self.writers.append(writer)
        writer.write(get(b"/asked", b"X-Forwarded-For: 1.2.3.4"))
        _, _, body = await read_answer(reader)
        self.assertEqual(json.loads(body)["client"], "127.0.0.2")

    @gen_test(timeout=60)
    async def test_request_id_is_kept(self) -> None:
        sane = b"A-b_c.d/e+f=g:h"
        _, _, body = await self.answer(get(b"/asked", b"X-Request-Id: " + sane))
        self.assertIn(["X-Request-Id", sane.decode()], json.loads(body)["headers"])
        await until(self.nginx.requests)  # nginx writes its log after the answer
        (line,) = self.nginx.requests()
        self.assertEqual(line["request_id"], sane.decode())

    @gen_test(timeout=60)
    async def test_own_errors_pass_as_they_are(self) -> None:
        for status in (400, 404, 405, 413, 429, 500, 502, 503, 504):
            got, headers, body = await self.answer(get(b"/refused/%d" % status))
            self.assertEqual((got, body), (status, b"ours"))
            self.assertEqual(headers["x-request-id"], "ours")

    @gen_test(timeout=60)
    async def test_body_as_large_as_may_be(self) -> None:
        head = post_head(b"/asked", b"Content-Length: %d" % (1 << 20))
        status, _, body = await self.answer(head + b"x" * (1 << 20))
        self.assertEqual((status, len(json.loads(body)["body"])), (200, 1 << 20))

    @gen_test(timeout=60)
    async def test_connections_are_kept(self) -> None:
        async def ask() -> None:
            for _ in range(50):
                self.assertEqual((await self.answer(get(b"/asked")))[0], 200)

        await asyncio.gather(*[ask() for _ in range(4)])
        # Of 200 requests. Two workers with four clients need 8 connections, and close idle ones.
        self.assertLess(len(AskedHandler.connections), 40)

    @gen_test(timeout=60)
    async def test_websocket(self) -> None:
        client = await websocket_connect(f"ws://127.0.0.1:{self.nginx.port}/echo")
        for message in ("text", "x" * 70_000):
            await client.write_message(message)
            self.assertEqual(await client.read_message(), message)
        await client.write_message("close")
        self.assertIsNone(await client.read_message())
        self.assertEqual(client.close_code, 4001)

    @gen_test(timeout=60)
    async def test_stream(self) -> None:
        StreamHandler.go_on = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        self.writers.append(writer)
        writer.write(get(b"/stream"))
        await reader.readuntil(b"\r\n\r\nfirst")
        StreamHandler.go_on.set()
        self.assertEqual(await reader.readexactly(5), b"after")


@needs_nginx
class RefusingTest(NginxTest):
    make = staticmethod(our_server)

    @gen_test(timeout=60)
    async def test_too_large(self) -> None:
        for head in (b"Content-Length: %d" % (1 << 20 | 1), b"Content-Length: 999999999999"):
            await self.assert_error(post_head(b"/asked", head), 413, "too_large")
        chunk = b"20000\r\n" + b"x" * 0x20000 + b"\r\n"
        head = post_head(b"/asked", b"Transfer-Encoding: chunked")
        await self.assert_error(head + 9 * chunk + b"0\r\n\r\n", 413, "too_large")

    @gen_test(timeout=60)
    async def test_malformed(self) -> None:
        long = b"x" * (1 << 14)
        for request in (
            b"what is this?\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            get(b"/" + long),
            get(b"/", b"X: " + long),
            get(b"/", b"Transfer-Encoding: gzip"),
            get(b"/", b"Host: b"),
            get(b"/../.."),
        ):
            headers = await self.assert_error(request, 400, "malformed")
            self.assertEqual(headers["connection"], "close")

    @gen_test(timeout=60)
    async def test_not_for_the_outside(self) -> None:
        for path in (b"/metrics", b"/metrics?a", b"/%6Detrics", b"/a/../metrics", b"/error"):
            headers = await self.assert_error(get(path), 404, "not_found")
            self.assertNotIn("retry-after", headers)

    @gen_test(timeout=60)
    async def test_trace(self) -> None:
        request = get(b"/asked").replace(b"GET", b"TRACE")
        headers = await self.assert_error(request, 405, "method_not_allowed")
        self.assertIn("POST", headers["allow"])

    @gen_test(timeout=60)
    async def test_request_id_is_the_clients(self) -> None:
        headers = await self.assert_error(get(b"/metrics", b"X-Request-Id: a"), 404, "not_found")
        self.assertEqual(headers["x-request-id"], "a")


@needs_nginx
class NoServerTest(NginxTest):
    make = staticmethod(our_server)

    def server_ports(self) -> list[int]:
        return free_ports(2)

    @gen_test(timeout=60)
    async def test_unavailable(self) -> None:
        for _ in range(10):  # nginx tries the servers first, and later knows that they are down
            for request in (get(), post_head(b"/", b"Content-Length: 0")):
                headers = await self.assert_error(request, 502, "unavailable")
                self.assertEqual(headers["retry-after"], "1")


@needs_nginx
class HangingServerTest(NginxTest):
    """A server that takes requests and never answers."""

    make = staticmethod(our_server)
    edits: ClassVar = {"proxy_read_timeout 35s;": "proxy_read_timeout 1s;"}

    def server_ports(self) -> list[int]:
        hanging = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        return [hanging.getsockname()[1]]

    @gen_test(timeout=60)
    async def test_deadline_exceeded(self) -> None:
        for request in (get(), post_head(b"/", b"Content-Length: 0")):
            await self.assert_error(request, 504, "deadline_exceeded")


@needs_nginx
class LimitTest(NginxTest):
    """The rate limit that nginx.conf has as an example."""

    make = staticmethod(our_server)
    edits: ClassVar = {"#limit ": "", "rate=50r/s": "rate=1r/m", "burst=100": "burst=1"}

    @gen_test(timeout=60)
    async def test_rate_limited(self) -> None:
        for _ in range(2):
            self.assertEqual((await self.answer(get(b"/asked")))[0], 200)
        headers = await self.assert_error(get(b"/asked"), 429, "rate_limited")
        self.assertEqual(headers["retry-after"], "1")


@needs_nginx
class TLSTest(NginxTest):
    """TLS, switched on as nginx.conf says."""

    make = staticmethod(our_server)

    def prepare(self) -> None:
        path = self.folder / "nginx.conf"
        (self.port,) = free_ports(1)
        path.write_text(path.read_text().replace("listen 443 ", f"listen 127.0.0.1:{self.port} "))
        (command,) = re.findall("sed -i '(.*)' nginx.conf", CONFIGURATION)
        subprocess.run(["sed", "-i", command, path], check=True)
        for name, pem in zip(("certificate", "private-key"), certificate(), strict=True):
            self.folder.joinpath(f"{name}.pem").write_text(pem)

    async def answer_by_tls(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        context = ssl.create_default_context(cadata=certificate()[0])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
        )
        self.writers.append(writer)
        writer.write(request)
        return await read_answer(reader)

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        status, headers, body = await self.answer_by_tls(get(b"/asked"))
        self.assertEqual(status, 200)
        self.assertIn("strict-transport-security", headers)
        self.assertIn(["X-Forwarded-Proto", "https"], json.loads(body)["headers"])
        status, headers, _ = await self.answer_by_tls(get(b"/metrics"))
        self.assertEqual(status, 404)
        self.assertIn("strict-transport-security", headers)

    @gen_test(timeout=60)
    async def test_without_it(self) -> None:
        status, headers, _ = await self.answer(get(b"/asked?a=b"))
        self.assertEqual((status, headers["location"]), (308, "https://a/asked?a=b"))
        self.nginx.port = self.port
        await self.assert_error(get(b"/asked"), 400, "malformed")
