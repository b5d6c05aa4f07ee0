"""The section on webhooks of docs/limits-and-jobs.md, run as it stands there."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from typing import Any
from unittest.mock import patch

from pymongo import MongoClient
from tornado.testing import gen_test

from indico.db import Collection, ObjectId, mongodb
from indico.engine.tests.server_test import test_database
from indico.service import webhooks
from indico.tests.server_process import ROOT, ProcessTest, ServerProcess, until
from indico.tests.server_test import PASSWORD, ServerTest, mongodb_uri
from indico.tests.test_readme import BLOCK, assert_like, curl

PAGE = (ROOT / "docs/limits-and-jobs.md").read_text().split("# Webhooks\n")[1].split("\n# ")[0]
BLOCKS = re.findall(BLOCK, PAGE, re.S)
CREATE, CREATED, RECEIVER, OWN = (text for _, text in BLOCKS)
EVENTS = 10


class ReceiverTest(ProcessTest):
    """The receiver of the page, and a server of two processes."""

    def setUp(self) -> None:
        super().setUp()
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri())
        self.addCleanup(client.close)
        self.addCleanup(client.drop_database, test_database(self))
        self.http = HTTPServer(("localhost", 0), BaseHTTPRequestHandler)
        self.addCleanup(self.http.server_close)
        self.printed: SimpleQueue[tuple[str, ...]] = SimpleQueue()
        self.ids: set[str] = set()

    def receive(self, secret: str) -> None:
        """Run the receiver's code in a thread; its server has a port of its own."""

        def bind(_: Any, handler: Any) -> HTTPServer:
            self.http.RequestHandlerClass = handler
            return self.http

        self.enterContext(patch("http.server.HTTPServer", bind))
        self.enterContext(patch.object(BaseHTTPRequestHandler, "log_message", lambda *_: None))
        names = {"print": lambda *words: self.printed.put(words)}
        code = RECEIVER.replace("whsec_...", secret)
        thread = threading.Thread(target=exec, args=(code, names))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.http.shutdown)

    def create(self, server: ServerProcess, token: str) -> Any:
        """Make the webhook of the page, and return the answer."""
        port = str(self.http.server_port)
        line = CREATE.replace("\\\n", " ").replace("9000", port)
        answered = curl(line, server.port, token)
        assert_like(self, json.loads(CREATED.replace("9000", port)), answered)
        return answered["data"]

    def test_valid(self) -> None:
        database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", test_database(self))
        server = self.serve(*database, "--processes", "2", "--webhooks-private-addresses")
        body = {"email": "ada@example.com", "password": PASSWORD}
        registered = server.call("/auth/register", body)[1]
        token, user_id = registered["token"], registered["user"]["id"]
        webhook = self.create(server, token)
        self.receive(webhook["secret"])

        def change() -> bool:
            update = {"update_user": {"name": "Ada"}}
            self.assertEqual(server.call("/user/update", update, token)[0], 200)
            while not self.printed.empty():
                message_id, kind, subject = self.printed.get()
                self.assertEqual((kind, subject), ("user.updated", user_id))
                self.ids.add(message_id)
            return len(self.ids) >= EVENTS

        def log() -> list[Any]:
            found = server.call("/webhook/deliveries", {"id": webhook["id"], "limit": 1000}, token)
            items: list[Any] = found[1]["items"]
            return items

        until(change)  # a process knows of the webhook after a second
        until(lambda: {delivery["status"] for delivery in log()} == {"delivered"})
        self.ids |= {self.printed.get()[0] for _ in range(self.printed.qsize())}
        self.assertEqual({delivery["event"] for delivery in log()}, self.ids)


class OwnEventTest(ServerTest):
    @gen_test
    async def test_valid(self) -> None:
        before, names = len(Collection.declared), dict[str, Any]()
        exec(compile(OWN, "example", "exec", dont_inherit=True), names)
        self.addCleanup(Collection.declared.__delitem__, slice(before, None))
        user_id, create = ObjectId(), names["create"]
        await create(user_id, "Buy milk")
        types = ["note.created"]
        await webhooks.create(user_id, "https://receiver.example/", types)
        note_id = await create(user_id, "Buy bread")
        (delivery,) = await mongodb.deliveries.find().to_list(None)
        event = json.loads(delivery["body"])
        self.assertEqual((event["type"], event["data"]), ("note.created", {"id": str(note_id)}))
        self.assertEqual(await mongodb.notes.count_documents({}), 2)
