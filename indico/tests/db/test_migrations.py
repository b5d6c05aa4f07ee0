"""Old code and new code side by side over the migrations of docs/data.md."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from tornado.testing import bind_unused_port

from indico.db import mongodb
from indico.engine.process.http_servers import make_server
from indico.routes.handler import IndicoHandler
from indico.tests.test_data import WrittenTest
from indico.utils import type_check, unpack


class Release(NamedTuple):
    """A version of the code of notes: the fields that it writes, and the one that it reads."""

    writes: tuple[str, ...]
    reads: str

    def handler(self) -> type[IndicoHandler]:
        release = self

        class NoteHandler(IndicoHandler):
            @unpack("id", "title")
            @type_check(int, str)
            async def update(self, id: int, title: str) -> None:
                """Change the title of a note."""
                changes = dict.fromkeys(release.writes, title)
                await mongodb.notes.update_one({"_id": id}, {"$set": changes})

            @unpack("id")
            @type_check(int)
            async def get(self, id: int) -> str:
                """Return the title of a note."""
                note = await mongodb.notes.find_one({"_id": id})
                title: str = note[release.reads]
                return title

        return NoteHandler


BOTH = ("title", "headline")
RELEASES = [
    *(Release(("title",), "title"), Release(BOTH, "title"), Release(BOTH, "headline")),
    *[Release(("headline",), "headline")] * 2,
]
CALLERS = 3
NOTES = 2000


class SideBySideTest(WrittenTest):
    """The five releases of the section, two of which serve at a time, while callers go on."""

    def setUp(self) -> None:
        super().setUp()
        self.ports: list[int] = []
        self.rounds = [0] * CALLERS
        self.last = ""

    async def call(self, port: int, action: str, **body: Any) -> Any:
        url = f"http://127.0.0.1:{port}/note/{action}"
        response = await self.http_client.fetch(url, method="POST", body=json.dumps(body))
        return json.loads(response.body)["data"]

    def serve(self, release: Release) -> None:
        """Start a server with the code of a release, beside those that serve already."""
        app = self.make_app(self.config)
        app.add_handlers(".*", [(r"/note/(?P<action>[a-z]+)", release.handler())])
        server = make_server(app, self.config)
        socket, port = bind_unused_port()
        server.add_sockets([socket])
        self.addCleanup(server.stop)
        self.ports.append(port)

    async def caller(self, note: int) -> None:
        """Change a note by each server in turn, and read the change by all servers."""
        while self.ports:
            ports = self.ports.copy()
            title = f"{note}, {self.rounds[note]}"
            writer = ports[self.rounds[note] % len(ports)]
            await self.call(writer, "update", id=note, title=title)
            for port in ports:
                self.assertEqual(await self.call(port, "get", id=note), title)
            self.rounds[note] += 1

    async def some_rounds(self) -> None:
        """Wait until each caller has used all servers that serve now."""
        before = self.rounds.copy()
        while any(now < then + 3 for now, then in zip(self.rounds, before, strict=True)):
            await asyncio.sleep(0.001)

    async def upgrade(self) -> None:
        """Replace one release after the other; a release's migration runs before it serves."""
        migrations = {3: 1, 5: 2}
        for number, release in enumerate(RELEASES, 1):
            if to := migrations.get(number):
                await self.migrate(to)
            self.serve(release)
            await self.some_rounds()
            if number == 2:  # a note that the new code has written, and then the old code
                for port in reversed(self.ports):
                    await self.call(port, "update", id=NOTES - 1, title=f"by {port}")
                self.last = f"by {port}"
            del self.ports[:-1]
            await self.some_rounds()
        self.ports.clear()

    def test_all_releases(self) -> None:
        stored = [{"_id": n, "title": f"{n}, -1"} for n in range(NOTES)]
        self.run_async(mongodb.notes.insert_many(stored))

        async def both() -> None:
            await asyncio.gather(self.upgrade(), *map(self.caller, range(CALLERS)))

        self.run_async(both())
        called = [f"{n}, {made - 1}" for n, made in enumerate(self.rounds)]
        others = [note["title"] for note in stored[CALLERS:-1]]
        wanted = [*called, *others, self.last]
        self.assertEqual(
            self.notes(), [{"_id": n, "headline": title} for n, title in enumerate(wanted)]
        )
