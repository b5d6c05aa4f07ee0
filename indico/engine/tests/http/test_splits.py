"""Streams of requests are answered the same, however they are split, and as by Tornado."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, cast
from unittest import TestCase

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.testing import bind_unused_port

from ...http.server import FastHTTPServer
from ..corpus.streams import make_play
from ..environment import EXAMPLES

# PROPERTY_EXAMPLES=20 in the environment makes 20 times as many, and those of each run first.
PLAYS = 300 * (int(os.environ.get("PROPERTY_EXAMPLES", "0")) or 1)
AT_ONCE = 50
# Turns of the event loop, which client and server share: more than the server needs.
TURNS_OF_A_PART = 4
TURNS_OF_ALL = 300

CONTINUE = b"HTTP/1.1 100 (Continue)\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\n\r\n"
# The interim answer with the answer to a request of HTTP/1.0.
TOLD = re.compile(CONTINUE[:12] + rb"[^']*'\S+', '\S+', 'HTTP/1\.0'")
# What Tornado refuses in a stream, and our server may not: RFC 9112, sections 2.2 and 7.1.1.
EMPTY_LINES = re.compile(rb"(?:\r*\n){3}")
CHUNK_EXTENSION = re.compile(rb"\n[0-9A-Fa-f]+[; \t]")
# Where Tornado closes: after HTTP/1.0 without a length, which means no body (section 6.3).
NO_LENGTH = re.compile(rb"'HTTP/1\.0', \[(?:(?!'Content-Length')[^\n])*\], b''\)\Z")


class Mirror(HTTPServerConnectionDelegate):
    """An application that answers each request with what it takes the request for."""

    def start_request(self, server: object, connection: HTTPConnection) -> HTTPMessageDelegate:
        return _MirroredRequest(connection)


class _MirroredRequest(HTTPMessageDelegate):
    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._body = b""

    def headers_received(self, start_line: object, headers: HTTPHeaders) -> None:
        self._seen = (*cast(RequestStartLine, start_line), sorted(headers.get_all()))

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    def finish(self) -> None:
        body = repr((*self._seen, self._body)).encode()
        headers = HTTPHeaders({"Content-Length": str(len(body))})
        head = self._seen[0] == "HEAD"
        start_line = ResponseStartLine("HTTP/1.1", 200, "OK")
        self._connection.write_headers(start_line, headers, b"" if head else body)
        self._connection.finish()


class Outcome(NamedTuple):
    """All that a client receives, and whether the server closes after that."""

    received: bytes
    closed: bool

    def without_interim(self) -> Outcome:
        """Return the outcome without `100 Continue`.

        Tornado sends it to HTTP/1.0 too, and before it finds that a length is malformed.
        """
        return Outcome(self.received.replace(CONTINUE, b""), self.closed)

    @property
    def refused(self) -> bool:
        return self.closed and self.received.endswith(BAD_REQUEST)

    def is_beginning_of(self, other: Outcome) -> bool:
        """Return whether `other` has the same answers and more, but for a last refusal."""
        return self.closed and other.received.startswith(self.received.removesuffix(BAD_REQUEST))


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.closed = False

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True


async def play(port: int, parts: Sequence[bytes]) -> Outcome:
    """Send `parts`, and return what is received until the server closes or has nothing to do."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(Client, "127.0.0.1", port)
    for part in parts:
        if transport.is_closing():
            break
        transport.write(part)
        for _ in range(TURNS_OF_A_PART):
            await asyncio.sleep(0)
    for _ in range(TURNS_OF_ALL):
        if client.closed:
            break
        await asyncio.sleep(0)
    transport.abort()
    return Outcome(client.received, client.closed)


class Played(NamedTuple):
    """A play with its outcomes: sent in parts, as a whole, and as a whole to Tornado's server."""

    number: int
    split: Outcome
    whole: Outcome
    tornado: Outcome


async def play_all(numbers: Sequence[int]) -> list[Played]:
    """Play on both servers, many plays at once."""
    servers = (FastHTTPServer(Mirror()), HTTPServer(Mirror()))
    ports = []
    for server in servers:
        listening, port = bind_unused_port()
        server.add_socket(listening)
        ports.append(port)
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Played:
        stream, parts, _ = make_play(number)
        async with free:
            split = await play(ports[0], parts)
            whole = await play(ports[0], [stream])
            return Played(number, split, whole, await play(ports[1], [stream]))

    played = await asyncio.gather(*map(one, numbers))
    for server in servers:
        server.stop()
        await server.close_all_connections()
    return played


class SplitTest(TestCase):
    varies_with = (EXAMPLES,)
    integration = True
    covers = False
    seconds = 3
    played: ClassVar[list[Played]]

    @classmethod
    def setUpClass(cls) -> None:
        # Each turn of asyncio's loop looks at the sockets; uvloop looks after several turns.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            cls.played = runner.run(play_all(range(PLAYS)))

    def test_however_it_is_split(self) -> None:
        self.assert_none([each for each in self.played if each.split != each.whole])

    def test_as_tornado_answers(self) -> None:
        self.assert_none([each for each in self.played if not explained(each)])

    def test_an_http_1_0_client_is_not_told_to_go_on(self) -> None:
        self.assert_none([each for each in self.played if TOLD.search(each.split.received)])

    def test_many_are_refused(self) -> None:
        refused = sum(each.whole.refused for each in self.played)
        self.assertGreater(refused, PLAYS / 50)

    def assert_none(self, wrong: list[Played]) -> None:
        if wrong:
            first = wrong[0]
            self.fail(f"{len(wrong)} plays, such as {make_play(first.number)}\n{first}")


def explained(played: Played) -> bool:
    """Return whether the outcome is Tornado's, or there is a reason for the difference.

    Our server may refuse a mutated stream earlier, and go on for three reasons only.
    """
    stream, _, mutated = make_play(played.number)
    ours, tornado = played.whole.without_interim(), played.tornado.without_interim()
    if ours == tornado:
        return played.whole == played.tornado or mutated or b"HTTP/1.0" in stream
    if ours.refused and ours.is_beginning_of(tornado):
        return mutated
    refuses = EMPTY_LINES.search(stream) or CHUNK_EXTENSION.search(stream)
    closes = NO_LENGTH.search(tornado.received)
    return bool(refuses or closes) and tornado.is_beginning_of(ours)
