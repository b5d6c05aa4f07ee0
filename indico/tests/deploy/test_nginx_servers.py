"""nginx in front of three servers: one is killed, then each is started again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymongo

from indico.engine.tests.load import Load, Request
from indico.engine.tests.server_test import PASSWORD, mongodb_uri, test_database
from indico.tests.deploy.nginx import Nginx, free_ports, needs_nginx
from indico.tests.forked_process import ForkedServer
from indico.tests.server_process import ProcessTest, ServerProcess

CLIENTS = 16
PAUSE_SECONDS = 0.02  # of each client, after an answer
# While a server starts, and until nginx asks it, which may take a second.
LONG_PAUSE_SECONDS = 0.1


@needs_nginx
class ServersTest(ProcessTest):
    """Three servers under load, of which one has a worker. Each client sends GET and POST."""

    covers = False
    seconds = 10
    server_class = ForkedServer
    flags = ("--trusted-proxies", "127.0.0.1")

    def setUp(self) -> None:
        super().setUp()
        self.database = test_database(self)
        self.drop()
        self.addCleanup(self.drop)
        self.ports = free_ports(3)
        self.servers = [self.begin(number) for number in range(3)]
        for server in self.servers:
            server.wait_until_it_listens()
        folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-nginx-")))
        self.nginx = self.enterContext(Nginx(folder, self.ports))
        account = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
        status, data = self.servers[0].call("/auth/register", account)
        self.assertEqual(status, 201)
        self.requests = [Request("GET", "/healthz"), Request("POST", "/user/get", data["token"])]

    def drop(self) -> None:
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(mongodb_uri())
        with client:
            client.drop_database(self.database)

    def begin(self, number: int) -> ServerProcess:
        mongodb = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.database)
        workers = ("--processes", "1") if number > 1 else ()
        return self.start("--port", str(self.ports[number]), *mongodb, *workers)

    async def start_again(self, load: Load, number: int) -> None:
        """Start a server, and wait until nginx passes requests to it; the load is low meanwhile."""
        load.pause_seconds = LONG_PAUSE_SECONDS
        self.servers[number] = self.begin(number)
        await asyncio.to_thread(self.servers[number].wait_until_it_listens)
        await self.wait_until_it_is_asked(load, f"127.0.0.1:{self.ports[number]}")
        load.pause_seconds = PAUSE_SECONDS

    def test_one_is_killed_then_each_is_started_again(self) -> None:
        asyncio.run(self.kill())
        asyncio.run(self.restart_all())

    async def kill(self) -> None:
        """Lose at most one request of each client, all of them POST to the server that died."""
        load = Load(self.nginx.port, self.requests)
        dead = f"127.0.0.1:{self.ports[0]}"
        async with load.run(CLIENTS, PAUSE_SECONDS):
            await load.more(150)
            self.servers[0].kill()
            await load.more(300)
            await self.start_again(load, 0)
        self.assert_only(load, ("POST", 502))
        lost = [line for line in self.nginx.requests() if line["status"] != 200]
        self.assertEqual({line["request_id"] for line in lost}, load.failed_ids)
        self.assertLessEqual(len(lost), CLIENTS)
        self.assertLessEqual({line["upstream"] for line in lost}, {dead})

    async def restart_all(self) -> None:
        """Lose no request, as long as nginx does not leave out all servers at once."""
        load = Load(self.nginx.port, self.requests)
        async with load.run(CLIENTS, PAUSE_SECONDS):
            for number in range(len(self.ports)):
                await load.more(150)
                self.assertEqual(await asyncio.to_thread(self.servers[number].stop), 0)
                await self.start_again(load, number)
        self.assert_only(load)

    async def wait_until_it_is_asked(self, load: Load, server: str) -> None:
        """Wait until nginx passes requests to `server`, and they are answered."""
        before = len(self.nginx.requests())
        for _ in range(500):
            await load.more(20)
            if server in self.upstreams(before):
                return
        self.fail("nginx leaves it out for ever")

    def upstreams(self, first: int) -> list[Any]:
        """Return the server that answered each request since the `first` line of the log."""
        return [line["upstream"].split(", ")[-1] for line in self.nginx.requests()[first:]]

    def assert_only(self, load: Load, *allowed: tuple[str, int]) -> None:
        """Check that each answer was a 200 or one of these."""
        self.assertGreater(load.counted["GET", 200], 100)
        self.assertGreater(load.counted["POST", 200], 100)
        others = set(load.counted) - {("GET", 200), ("POST", 200)}
        self.assertLessEqual(others, set(allowed), (load.counted, self.nginx.errors()))
