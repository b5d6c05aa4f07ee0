"""`deploy/nginx.conf` in Debian's nginx: what it passes, what it replaces, what it answers."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from tornado.testing import gen_test
from tornado.web import RequestHandler
from tornado.websocket import websocket_connect

from indico.config import Settings
from indico.engine.error import error_for_status
from indico.engine.process import http_servers
from indico.engine.tests.http.http_servers import HTTPServerTest, get, our_server, post_head
from indico.engine.tests.http.test_tls import certificate
from indico.engine.tests.http.test_websocket import EchoHandler
from indico.engine.tests.server_test import read_answer
from indico.error import IndicoError
from indico.tests.deploy.nginx import Nginx, free_ports, needs_nginx
from indico.tests.deploy.programs import DEPLOY

CONFIGURATION = DEPLOY.joinpath("nginx.conf").read_text()
SECONDS = {"s": 1, "m": 60, "h": 3600}


def directive(name: str) -> str:
    """The one value that it has."""
    values = set(re.findall(rf"^ *{name} ([^;]*);", CONFIGURATION, re.MULTILINE))
    assert len(values) == 1, (name, values)
    return str(values.pop())


def seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]


def upstream(name: str) -> str:
    """A directive of the servers' side."""
    block = CONFIGURATION.split("upstream indico {")[1].split("}")[0]
    (value,) = re.findall(rf"^ *{name} ([^;]*);", block, re.MULTILINE)
    return str(value)


class AgreementTest(unittest.TestCase):
    """What nginx is told agrees with the defaults of our settings."""

    settings = Settings()

    def test_body(self) -> None:
        self.assertEqual(directive("client_max_body_size"), "1m")
        self.assertEqual(self.settings.max_body_bytes, 1 << 20)
        self.assertIn(f"the limit of {self.settings.max_body_bytes} bytes", CONFIGURATION)
        timeout = seconds(directive("client_body_timeout"))
        self.assertEqual(timeout, self.settings.body_timeout_seconds)

    def test_idle(self) -> None:
        self.assertEqual(
            seconds(directive("client_header_timeout")), self.settings.idle_timeout_seconds
        )

    def test_kept(self) -> None:
        """nginx closes a connection before we do, whether we go on or drain."""
        milliseconds = int(upstream("keepalive_timeout").removesuffix("ms"))
        self.assertLessEqual(milliseconds / 1000, http_servers.LINGER_SECONDS / 2)
        self.assertLess(http_servers.LINGER_SECONDS, self.settings.drain_seconds)
        self.assertLess(milliseconds / 1000, self.settings.idle_timeout_seconds)

    def test_answer(self) -> None:
        read = seconds(directive("proxy_read_timeout"))
        self.assertGreater(read, self.settings.request_timeout_seconds)
        again = seconds(directive("proxy_next_upstream_timeout"))
        self.assertLess(again, self.settings.request_timeout_seconds)

    def test_errors(self) -> None:
        """They have the codes of ours, and where we say what they say, our words."""
        codes = dict(re.findall(r"(\d{3}) (\w+);", self.block("error_code")))
        messages = dict(re.findall(r'(\d{3}) "(.*)";', self.block("error_message")))
        self.assertEqual(set(codes), set(messages))
        known = {kind.code: kind for kind in kinds(IndicoError)}
        for status, code in codes.items():
            ours = known[code]
            self.assertEqual(ours.status, 503 if status == "502" else int(status))
            if status not in ("400", "405", "413"):
                expected = error_for_status(ours.status).message
                self.assertEqual(messages[status], expected)
        self.assertIn(f'default "{IndicoError.default_message}"', CONFIGURATION)

    @staticmethod
    def block(name: str) -> str:
        return CONFIGURATION.split(f"map $status ${name} {{")[1].split("}")[0]


def kinds(kind: type[IndicoError]) -> list[type[IndicoError]]:
    return [kind, *[other for child in kind.__subclasses__() for other in kinds(child)]]


class AskedHandler(RequestHandler):
    """What reaches the server of a request."""

    connections: ClassVar[set[Any]] = set()

    async def get(self) -> None:
        connection: Any = self.request.connection
        self.connections.add(connection.context.address)
        self.write(
            {
                "headers": list(self.request.headers.get_all()),
                "body": self.text(),
                "client": self.request.remote_ip,
            }
        )

    post = delete = get

    def text(self) -> str:
        return self.request.body.decode()


class RefusingHandler(RequestHandler):
    """Answers with a status that nginx has pages of its own for."""

    def get(self, status: str) -> None:
        self.set_status(int(status))
        self.set_header("X-Request-Id", "ours")
        self.write("ours")


class StreamHandler(RequestHandler):
    """Sends its second half when it is told to."""

    go_on: ClassVar[asyncio.Event]

    async def get(self) -> None:
        self.set_header("X-Accel-Buffering", "no")
        self.set_header("Content-Length", "10")
        self.write("first")
        await self.flush()
        await self.go_on.wait()
        self.write("after")


class NginxTest(HTTPServerTest):
    """nginx before the server of the test; `port` is nginx's."""

    routes = [  # noqa: RUF012
        (r"/echo", EchoHandler),
        (r"/asked", AskedHandler),
        (r"/refused/(\d+)", RefusingHandler),
        (r"/stream", StreamHandler),
    ]
    settings: ClassVar = {"trusted_proxies": "127.0.0.1"}
    edits: ClassVar[dict[str, str]] = {}

    def setUp(self) -> None:
        super().setUp()
        AskedHandler.connections.clear()
        EchoHandler.pongs, EchoHandler.closed = [], []
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-nginx-")))
        self.nginx = Nginx(self.folder, self.server_ports(), self.edits)
        self.prepare()
        self.enterContext(self.nginx)

    def prepare(self) -> None:
        """Before nginx starts."""

    def server_ports(self) -> list[int]:
        return [self.get_http_port()]

    async def answer(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        self.writers.append(writer)
        writer.write(request)
        return await read_answer(reader)

    async def assert_error(self, request: bytes, status: int, code: str) -> dict[str, str]:
        """nginx answers in the envelope; the headers."""
        got, headers, body = await self.answer(request)
        self.assertEqual(got, status, (body, self.nginx.errors()))
        envelope = json.loads(body)
        self.assertEqual(envelope["status"], status)
        self.assertIsInstance(envelope["data"], str)
        error = {"code": code, "request_id": headers["x-request-id"], "details": []}
        self.assertEqual(envelope["error"], error)
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["server"], "nginx")
        return headers


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
        del asked["content-type"]  # which is ours
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
        # Of 200. Two workers with four clients need eight; one that is idle for long is closed.
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
        for _ in range(10):  # at first it tries, then it knows
            for request in (get(), post_head(b"/", b"Content-Length: 0")):
                headers = await self.assert_error(request, 502, "unavailable")
                self.assertEqual(headers["retry-after"], "1")


@needs_nginx
class HangingServerTest(NginxTest):
    """The first of two servers takes requests, and never answers."""

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
    """With what is there as an example of a limit."""

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
    """As nginx.conf says that TLS is served."""

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
