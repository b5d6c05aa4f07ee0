"""`ServerTest`: a test against the real app, on a real socket, with a database of its own."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import shutil
import socket
import tempfile
import unittest
import zlib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from unittest.mock import patch

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import DefaultLoopResolver
from tornado.testing import AsyncHTTPTestCase

from .. import log
from ..http.application import Application
from ..mongo.collection import Collection
from ..mongo.connection import connect, disconnect
from ..mongo.driver import mongodb
from ..mongo.embedded import Embedded
from ..process.http_servers import make_server
from ..settings import ServerSettings
from ..telemetry import metrics
from .class_database import ClassDatabase, tasks_of_tests
from .environment import CHOSEN, DRIVER, FRESH_METRICS, HTTP_SERVER, LANE, MONGODB_URI, NO_MONGODB
from .sample import app
from .sample.server import PROGRAM

T = TypeVar("T")
S = TypeVar("S", bound=ServerSettings)
PASSWORD = "correct horse battery"

_SETTINGS: dict[tuple[type[ServerSettings], str], Any] = {}

log.configure("text")
log.LOGGER.setLevel("CRITICAL")


class FallibleMongoDB(Embedded):
    """A MongoDB that fails on command, for the clients that a test names."""

    options = ("--setParameter", "enableTestCommands=1")


@functools.cache
def mongodb_uri() -> str:
    """Return the MongoDB of this run of the tests, started when the first test asks."""
    if MONGODB_URI in os.environ:
        return os.environ[MONGODB_URI]
    assert NO_MONGODB not in os.environ, "a test without `integration = True` needs a MongoDB"
    folder = Path(tempfile.mkdtemp(prefix="tests-", dir=memory()))
    embedded = FallibleMongoDB(folder, None, lambda line: None)
    embedded.start()

    def stop() -> None:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return embedded.uri


def memory() -> str | None:
    """Return a folder in memory, where no write waits for a disk, or None.

    Programs in it can be run. A container may forbid that.
    """
    folder = os.path.realpath("/dev/shm")
    if not os.path.isdir(folder) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return None
    return folder if shutil.disk_usage(folder).free > 4 << 30 else None


def settings_of(kind: type[S], values: dict[str, Any]) -> S:
    """Return settings with these values, made once: the look at the environment takes long."""
    key = kind, repr(values)
    if key not in _SETTINGS:
        _SETTINGS[key] = kind(**values)
    settings: S = _SETTINGS[key].model_copy()
    return settings


class LoopbackResolver(DefaultLoopResolver):
    """A resolver that asks no thread for the address that most tests use."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        if host == "127.0.0.1":
            return [(socket.AF_INET, (host, port))]
        return await super().resolve(host, port, family)


class ServerTest(AsyncHTTPTestCase):
    """Base of tests of the app of `make_app`, which is the sample unless a subclass has another.

    The variables in `varies_with` choose others than the defaults. The indexes and validators of
    the collections in `indexed` are made, which takes longer than most tests. MongoDB makes the
    other collections when something is stored in them. With `shares_database` all tests of a class
    have one database, which keeps the collections in `indexed`, but none of their documents. They
    share the connection, too, which is opened anew after a test that has closed or changed it.
    """

    integration = True
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE, HTTP_SERVER)
    _app: Application
    config: ServerSettings
    settings: ClassVar[dict[str, Any]] = {}
    indexed: Sequence[Collection[Any]] = ()
    shares_database: ClassVar[bool] = True
    shared: ClassVar[ClassDatabase]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.shared = ClassDatabase(cls, cls.indexed)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.shared.close()
        super().tearDownClass()

    def setUp(self) -> None:
        self.database = self.shared.name if self.shares_database else test_database(self)
        super().setUp()

    def tearDown(self) -> None:
        # Tornado cancels all tasks, so that none stores anything after the database is emptied.
        with patch.object(asyncio, "all_tasks", tasks_of_tests):
            super().tearDown()
        self.run_async(self.drop())

    def get_new_ioloop(self) -> IOLoop:
        return self.shared.io_loop()

    def get_http_client(self) -> AsyncHTTPClient:
        # Tornado's 20 seconds are not enough where the first call starts a process.
        timeouts = {"connect_timeout": 60, "request_timeout": 60}
        return AsyncHTTPClient(defaults=timeouts, resolver=LoopbackResolver())

    def get_app(self) -> Application:
        self.config = self.make_settings(**{**CHOSEN, **FRESH_METRICS, **self.settings})
        metrics.identify(PROGRAM.version)
        of_test = self.indexed is not type(self).indexed
        if of_test or not self.shared.is_open(self.connection_options()):
            self.run_async(self.connect())
            self.shared.keep(self.connection_options())
        app = self.make_app(self.config)
        app.checks_answers = True
        return app

    async def connect(self) -> None:
        """Open `mongodb` as the settings say."""
        declared = self.indexed
        if self.shares_database and declared is type(self).indexed:  # and not those of one test
            declared = self.shared.missing()
        with patch.object(Collection, "declared", declared):
            await connect(*self.connection_options())

    def connection_options(self) -> tuple[Any, ...]:
        """Return the arguments of `connect`, as the settings say."""
        config = self.config
        driver, timeout = config.mongodb_driver, config.mongodb_timeout_seconds
        lane, validation = config.mongodb_lane, config.document_validation
        return self.uri(), self.database, driver, timeout, 2, lane, validation

    def make_settings(self, **values: Any) -> ServerSettings:
        return settings_of(app.Settings, values)

    def make_app(self, settings: Any) -> Application:
        return app.make_app(settings)

    def get_http_server(self) -> HTTPServer:
        return cast(HTTPServer, make_server(self._app, self.config))

    def uri(self) -> str:
        return mongodb_uri()

    async def drop(self) -> None:
        # By the client that is open already: the other one would connect for this alone.
        if self.shares_database:
            await self.shared.empty(mongodb.own)
            mongodb.opened = {}
        else:
            await drop_collections(mongodb.own)
            await disconnect()

    def run_async(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self.io_loop.run_sync(lambda: work, timeout=60)
        return result

    def post(
        self, path: str, body: Any = None, token: str | None = None, **headers: str
    ) -> HTTPResponse:
        """Return the answer of `path` to `body`, which is sent as JSON unless it is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.fetch(path, method="POST", body=raw, headers=headers)

    def raw(self, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send these bytes as they are; return status, headers and body of the answer."""
        return self.run_async(exchange(self.get_http_port(), *parts))

    def data(self, response: HTTPResponse, status: int = 200) -> Any:
        """Return the data of an answer, which must have the envelope and this status."""
        envelope = json.loads(response.body)
        self.assertEqual((response.code, envelope["status"]), (status, status), envelope)
        self.assertEqual(set(envelope), {"status", "data"})
        return envelope["data"]

    def error(self, response: HTTPResponse, status: int, code: str, *paths: str) -> Any:
        """Return the error of an answer, which must have this status and code, and these paths."""
        envelope = json.loads(response.body)
        self.assertEqual((response.code, envelope["status"]), (status, status), envelope)
        self.assertIsInstance(envelope["data"], str)
        error = envelope["error"]
        self.assertEqual(error["code"], code, envelope)
        self.assertEqual(error["request_id"], response.headers["X-Request-Id"])
        self.assertEqual([detail["path"] for detail in error["details"]], list(paths))
        return error

    def register(self, email: str = "ada@example.com", **fields: Any) -> Any:
        """Make an account; return `user` and `token`."""
        body = {"email": email, "password": PASSWORD, **fields}
        return self.data(self.post("/auth/register", body), 201)

    def login(self, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
        return self.data(self.post("/auth/login", {"email": email, "password": password}))

    def stored(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        """Return the documents of `collection` that are like `query`."""
        find = mongodb.own[collection].find(query)
        documents: list[dict[str, Any]] = self.run_async(find.to_list(None))
        return documents


async def drop_collections(database: Any) -> None:
    """Drop each collection, because dropping a database takes a tenth of a second."""
    for name in await database.list_collection_names():
        await database.drop_collection(name)


async def exchange(port: int, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send `parts` on a connection of their own, and return one answer, or status 0 for none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await read_answer(reader)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body; status 0 if the peer has closed."""
    start = await reader.readline()
    if not start:
        return 0, {}, b""
    headers = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin1").partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(start.split()[1]), headers, body


def test_database(test: unittest.TestCase) -> str:
    """Return a name of at most 63 bytes that no other test has, and that begins with `test_`."""
    return f"test_{test._testMethodName[5:40]}_{zlib.crc32(test.id().encode()):08x}"


test_database.__test__ = False  # type: ignore[attr-defined]
