"""nginx in front of four servers: one is killed, or each is started again."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pymongo

from indico.engine.tests.environment import UNMEASURED
from indico.engine.tests.load import Load, Request
from indico.engine.tests.server_test import PASSWORD, mongodb_uri, test_database
from indico.tests.deploy.nginx import Nginx, free_ports, needs_nginx
from indico.tests.server_process import ProcessTest, ServerProcess

CLIENTS = 16


class UnmeasuredServer(ServerProcess):
    environment = UNMEASURED


class ServersTest(ProcessTest):
    """Four servers under load: each client sends GET and POST in turn."""

    seconds = 15
    server_class = UnmeasuredServer
    flags: ClassVar[tuple[str, ...]] = ("--trusted-proxies", "127.0.0.1")

    def setUp(self) -> None:
        super().setUp()
        self.database = test_database(self)
        self.drop()
        self.addCleanup(self.drop)
        self.ports = free_ports(4)
        self.servers = [self.begin(port) for port in self.ports]
        for server in self.servers:
            server.wait_until_it_listens()
        folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-nginx-")))
        self.nginx = self.enterContext(Nginx(folder, self.ports))
        self.load = Load(self.nginx.port, [Request("GET", "/healthz"), self.post()])

    def drop(self) -> None:
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(mongodb_uri())
        with client:
            client.drop_database(self.database)

    def begin(self, port: int) -> ServerProcess:
        mongodb = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", self.database)
        return self.start("--port", str(port), *mongodb)

    async def start_again(self, number: int) -> None:
        """Start a server, while the load leaves a processor for that."""
        self.load.pause_seconds = 0.2
        self.servers[number] = self.begin(self.ports[number])
        await asyncio.to_thread(self.servers[number].wait_until_it_listens)
        self.load.pause_seconds = 0

    def post(self) -> Request:
        account = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
        status, data = self.servers[0].call("/auth/register", account)
        self.assertEqual(status, 201)
        return Request("POST", "/user/get", data["token"])

    def assert_only(self, *allowed: tuple[str, int]) -> None:
        """Check that each answer was a 200 or one of these."""
        self.assertGreater(self.load.counted["GET", 200], 100)
        self.assertGreater(self.load.counted["POST", 200], 100)
        others = set(self.load.counted) - {("GET", 200), ("POST", 200)}
        self.assertLessEqual(others, set(allowed), (self.load.counted, self.nginx.errors()))


@needs_nginx
class KilledTest(ServersTest):
    def test_killed(self) -> None:
        async def kill() -> None:
            async with self.load.run(CLIENTS):
                await self.load.more(500)
                self.servers[0].kill()
                await self.load.more(2000)
                await self.start_again(0)
                await self.wait_until_it_is_asked(dead)

        dead = f"127.0.0.1:{self.ports[0]}"
        asyncio.run(kill())
        self.assert_only(("POST", 502))
        lost = [line for line in self.nginx.requests() if line["status"] != 200]
        self.assertEqual({line["request_id"] for line in lost}, self.load.failed_ids)
        self.assertLessEqual(len(lost), CLIENTS)  # at most one request of each client
        self.assertLessEqual({line["upstream"] for line in lost}, {dead})

    async def wait_until_it_is_asked(self, server: str) -> None:
        """Wait until nginx passes requests to `server`, and they are answered."""
        before = len(self.nginx.requests())
        for _ in range(100):
            await self.load.more(100)
            if server in {line["upstream"] for line in self.nginx.requests()[before:]}:
                return
        self.fail("nginx leaves it out for ever")


@needs_nginx
class RestartTest(ServersTest):
    def test_rolling_restart(self) -> None:
        async def restart_all() -> None:
            async with self.load.run(CLIENTS):
                for number in range(len(self.ports)):
                    await self.load.more(300)
                    self.assertEqual(await asyncio.to_thread(self.servers[number].stop), 0)
                    await self.start_again(number)
                await self.load.more(300)

        asyncio.run(restart_all())
        self.assert_only()
        answered = Counter(line["upstream"].split(", ")[-1] for line in self.nginx.requests())
        self.assertEqual(set(answered), {f"127.0.0.1:{port}" for port in self.ports})


class RestartWithWorkersTest(RestartTest):
    """Servers of a parent and a worker each."""

    flags = (*ServersTest.flags, "--processes", "1")
