"""Metrics of one server process, and of several processes that share a folder."""

from __future__ import annotations

import http.client
import os
import threading
from collections import Counter
from typing import ClassVar
from unittest.mock import patch

from ...telemetry.processes import VARIABLE, forget_process
from ..environment import measured
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import mongodb_uri
from .counting_process import CountingProcess
from .scrape import Scraped, scrape

REQUESTS = "sample_requests_total"
PING = {"resource": "system", "action": "ping", "status": "200"}
MEMORY = "sample_process_resident_memory_bytes"


def pids(scraped: Scraped) -> set[str]:
    return {labels["pid"] for labels in scraped.labels(MEMORY)}


class OneProcessTest(ProcessTest):
    """One server, shared by the tests."""

    server: ClassVar[ServerProcess]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_metrics")
        fresh = ("--metrics-interval-seconds", "0.000001")
        cls.server = ServerProcess(*database, *fresh).wait_until_it_listens()
        cls.addClassCleanup(cls.server.__exit__)

    def counted(self) -> Counter[tuple[str, str, str]]:
        """Return the number of requests for each resource, action and status."""
        scraped = scrape(self.server.port)
        return Counter(
            {
                (labels["resource"], labels["action"], labels["status"]): int(
                    scraped.sum(REQUESTS, **labels)
                )
                for labels in scraped.labels(REQUESTS)
            }
        )

    def test_valid(self) -> None:
        before = self.counted()
        for path in ("/system/ping", "/system/ping", "/user/get", "/user/nosuch", "/nosuch"):
            self.server.call(path)
        self.assertEqual(
            self.counted() - before,
            {
                ("system", "ping", "200"): 2,
                ("user", "get", "401"): 1,
                ("user", "unknown", "404"): 1,
                ("unknown", "unknown", "404"): 1,
                ("metrics", "GET", "200"): 1,
            },
        )
        self.assertEqual(pids(scrape(self.server.port)), {str(self.server.process.pid)})
        until(lambda: scrape(self.server.port).sum("sample_event_loop_lag_seconds_count") > 2)

    def test_in_flight(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.putrequest("POST", "/system/echo")
        connection.putheader("Content-Length", "2")
        connection.endheaders(b"{")
        until(lambda: scrape(self.server.port).sum("sample_requests_in_flight") >= 1)
        connection.send(b"}")
        self.assertEqual(connection.getresponse().status, 200)
        until(lambda: scrape(self.server.port).sum("sample_requests_in_flight") == 0)


class SharedFolderTest(ProcessTest):
    """A folder that all processes of the test share."""

    def setUp(self) -> None:
        super().setUp()
        self.shared = self.folder / "metrics"
        self.shared.mkdir()
        sharing = patch.dict(os.environ, {VARIABLE: str(self.shared)})
        sharing.start()
        self.addCleanup(sharing.stop)


class SeveralServersTest(SharedFolderTest):
    flags = ("--mongodb-database", "test_metrics")

    def test_each_answers_for_all(self) -> None:
        starting = [self.start("--mongodb-uri", mongodb_uri()) for _ in range(2)]
        one, other = (server.wait_until_it_listens() for server in starting)
        for server, count in ((one, 3), (other, 2)):
            for _ in range(count):
                self.assertEqual(server.call("/system/ping")[0], 200)
        # A request is counted once its answer is written.
        until(lambda: scrape(one.port).sum(REQUESTS, **PING) == 5)
        for server in (one, other):
            scraped = scrape(server.port)
            self.assertEqual(scraped.sum(REQUESTS, **PING), 5)
            seconds = "sample_request_duration_seconds"
            labels = {"resource": "system", "action": "ping"}
            self.assertEqual(scraped.sum(f"{seconds}_count", **labels), 5)
            self.assertEqual(scraped.sum(f"{seconds}_bucket", **labels, le="+Inf"), 5)
            self.assertEqual(pids(scraped), {str(one.process.pid), str(other.process.pid)})
            self.assertEqual(len(scraped.labels("sample_build_info")), 1)
        other.stop()
        forget_process(other.process.pid, self.shared)
        scraped = scrape(one.port)
        self.assertEqual(scraped.sum(REQUESTS, **PING), 5)
        self.assertEqual(pids(scraped), {str(one.process.pid)})


class EndedProcessTest(SharedFolderTest):
    """Processes that count and end, while one stays."""

    def setUp(self) -> None:
        super().setUp()
        self.stays = self.counting()
        self.stays.count(1)

    def counting(self) -> CountingProcess:
        process = CountingProcess()
        self.addCleanup(process.end)
        return process

    def end(self, process: CountingProcess) -> None:
        process.end()
        forget_process(process.pid, self.shared)

    def test_what_ended_processes_counted_stays(self) -> None:
        for count in (2, 4):
            ends = self.counting()
            ends.count(count)
            own = ends.scrape()  # which also samples its memory
            before = self.stays.scrape()
            self.assertEqual(own.sum(REQUESTS, **PING), before.sum(REQUESTS, **PING))
            self.assertEqual(pids(before), {str(self.stays.pid), str(ends.pid)})
            self.end(ends)
            after = self.stays.scrape()
            self.assertEqual(after.sum(REQUESTS, **PING), before.sum(REQUESTS, **PING))
            self.assertEqual(pids(after), {str(self.stays.pid)})
        self.assertEqual(self.stays.scrape().sum(REQUESTS, **PING), 7)
        left = {path.name for path in self.shared.glob("counter_*.db")}
        self.assertEqual(left, {"counter_0.db", f"counter_{self.stays.pid}.db"})

    def test_a_process_that_never_counted(self) -> None:
        before = set(self.shared.glob("*.db"))
        forget_process(2**22 + 1, self.shared)
        self.assertEqual(set(self.shared.glob("*.db")), before)

    def test_counts_never_fall_while_others_end(self) -> None:
        """Prometheus takes a sum that falls for new requests, all of them."""
        seen: list[float] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                seen.append(self.stays.scrape().sum(REQUESTS, **PING))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(3):
                ends = self.counting()
                ends.count(5)
                self.end(ends)
        finally:
            done.set()
            watcher.join()
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(len(seen), 3)
        self.assertEqual(self.stays.scrape().sum(REQUESTS, **PING), 16)

    def test_a_file_that_is_only_just_made(self) -> None:
        (self.shared / "counter_1.db").touch()
        with measured():
            other = self.counting()
        self.assertEqual(other.scrape().sum(REQUESTS, **PING), 1)
