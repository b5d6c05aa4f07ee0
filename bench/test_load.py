"""wrk: what it prints, and how it is started."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from unittest import TestCase, skipUnless

from bench import clients, data, load

OUTPUT = """Running 1s test @ http://127.0.0.1:8888
  1 threads and 8 connections
  3000 requests in 1.50s, 1.00MB read
Requests/sec:   2000.00

RESULT {"requests": 3000, "microseconds": 1500000, "p50": 4000, "p99": 12500, "errors": \
{"status": 0, "connect": 0, "read": 2, "write": 0, "timeout": 0}}
"""


class LoadTest(TestCase):
    def test_valid(self) -> None:
        seen = load.parse(OUTPUT)
        self.assertEqual(seen, load.Load(3000, 1.5, 4.0, 12.5, {"read": 2}))

    def test_no_result(self) -> None:
        with self.assertRaises(ValueError):
            load.parse("unable to connect to 127.0.0.1:8888 Connection refused\n")


@skipUnless(shutil.which("wrk") or "NO_SKIPS" in os.environ, "this needs wrk")
class WrkTest(TestCase):
    integration = True

    def test_no_server(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data.Data(1).write_requests(Path(folder))
            with self.assertRaisesRegex(ChildProcessError, "wrk: unable to connect"):
                load.run(1, data.WORKLOADS[0], 1, 1, Path(folder))


class _TitlesHandler(BaseHTTPRequestHandler):
    """A server that remembers the titles it is sent."""

    protocol_version = "HTTP/1.1"
    titles: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.titles.append(json.loads(body)["title"])
        self._answer()

    def _answer(self) -> None:
        time.sleep(0.005)  # because wrk asks for a second, and few titles are enough
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class TitlesTest(TestCase):
    """An update that changes nothing is no write for MongoDB, so each update has a new title."""

    covers = False

    def setUp(self) -> None:
        _TitlesHandler.titles.clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.update = data.WORKLOADS[2]
        data.Data(1).write_requests(self.folder)
        file = self.folder / self.update.name
        file.write_text("\n".join(file.read_text().splitlines()[:2]))  # the same request each time
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _TitlesHandler)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()
        self.addCleanup(self.server.shutdown)

    def check(self) -> None:
        titles = _TitlesHandler.titles
        self.assertGreater(len(titles), 1)
        self.assertEqual(len(set(titles)), len(titles))
        self.assertRegex(titles[0], f"^{data.TITLE} [0-9]{{16}}$")

    @skipUnless(shutil.which("wrk") or "NO_SKIPS" in os.environ, "this needs wrk")
    def test_wrk(self) -> None:
        load.run(self.server.server_port, self.update, 1, 1, self.folder)
        self.check()

    def test_clients(self) -> None:
        requests = clients.requests(self.folder / self.update.name)
        asking = clients.Clients(self.server.server_port, requests, clients.NO_PAUSES)
        self.addCleanup(asking.close)
        asking.open(2)
        asking.ask(2, 0.1)
        asking.rest()
        self.check()
