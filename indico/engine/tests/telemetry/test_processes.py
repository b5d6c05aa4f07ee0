"""Scraped of real server processes, one and several."""

from __future__ import annotations

import http.client
import os
import threading
from unittest.mock import patch

from ...telemetry import metrics
from ..server_process import ProcessTest, ServerProcess, until
from ..server_test import mongodb_uri
from .scrape import Scraped, scrape

REQUESTS = "sample_requests_total"
PING = {"resource": "system", "action": "ping", "status": "200"}
MEMORY = "sample_process_resident_memory_bytes"


def pids(scraped: Scraped) -> set[str]:
    return {labels["pid"] for labels in scraped.labels(MEMORY)}


class OneProcessTest(ProcessTest):
    flags = ("--mongodb-database", "test_metrics")

    def test_valid(self) -> None:
        server = self.serve("--mongodb-uri", mongodb_uri())
        for path in ("/system/ping", "/system/ping", "/user/get", "/user/nosuch", "/nosuch"):
            server.call(path)
        scraped = scrape(server.port)
        counted = {
            (labels["resource"], labels["action"], labels["status"]): scraped.sum(
                REQUESTS, **labels
            )
            for labels in scraped.labels(REQUESTS)
        }
        self.assertEqual(
            counted,
            {
                ("system", "ping", "200"): 2,
                ("user", "get", "401"): 1,
                ("user", "unknown", "404"): 1,
                ("unknown", "unknown", "404"): 1,
            },
        )
        self.assertEqual(pids(scraped), {str(server.process.pid)})
        until(lambda: scrape(server.port).sum("sample_event_loop_lag_seconds_count") > 2)

    def test_in_flight(self) -> None:
        server = self.serve("--mongodb-uri", mongodb_uri())
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.putrequest("POST", "/system/echo")
        connection.putheader("Content-Length", "2")
        connection.endheaders(b"{")
        until(lambda: scrape(server.port).sum("sample_requests_in_flight") >= 1)
        connection.send(b"}")
        self.assertEqual(connection.getresponse().status, 200)
        until(lambda: scrape(server.port).sum("sample_requests_in_flight") == 0)


class SeveralProcessesTest(ProcessTest):
    flags = ("--mongodb-database", "test_metrics")

    def setUp(self) -> None:
        super().setUp()
        self.shared = self.folder / "metrics"
        self.shared.mkdir()
        sharing = patch.dict(os.environ, {"PROMETHEUS_MULTIPROC_DIR": str(self.shared)})
        sharing.start()
        self.addCleanup(sharing.stop)

    def worker(self) -> ServerProcess:
        return self.serve("--mongodb-uri", mongodb_uri())

    def end(self, server: ServerProcess) -> None:
        server.stop()  # a request is counted once it has been answered
        metrics.forget_process(server.process.pid, self.shared)

    def pings(self, server: ServerProcess, count: int) -> None:
        for _ in range(count):
            self.assertEqual(server.call("/system/ping")[0], 200)

    def test_each_answers_for_all(self) -> None:
        one, other = self.worker(), self.worker()
        self.pings(one, 3)
        self.pings(other, 2)
        for server in (one, other):
            scraped = scrape(server.port)
            self.assertEqual(scraped.sum(REQUESTS, **PING), 5)
            seconds = "sample_request_duration_seconds"
            labels = {"resource": "system", "action": "ping"}
            self.assertEqual(scraped.sum(f"{seconds}_count", **labels), 5)
            self.assertEqual(scraped.sum(f"{seconds}_bucket", **labels, le="+Inf"), 5)
            self.assertEqual(pids(scraped), {str(one.process.pid), str(other.process.pid)})
            self.assertEqual(len(scraped.labels("sample_build_info")), 1)

    def test_what_ended_processes_counted_stays(self) -> None:
        stays, ends = self.worker(), self.worker()
        self.pings(stays, 1)
        for count in (2, 4):
            self.pings(ends, count)
            before = scrape(stays.port)
            self.assertIn(str(ends.process.pid), pids(before))
            self.end(ends)
            after = scrape(stays.port)
            self.assertEqual(after.sum(REQUESTS, **PING), before.sum(REQUESTS, **PING))
            self.assertEqual(pids(after), {str(stays.process.pid)})
            ends = self.worker()
        self.assertEqual(scrape(stays.port).sum(REQUESTS, **PING), 7)
        self.end(ends)
        left = {path.name for path in self.shared.glob("counter_*.db")}
        self.assertEqual(left, {"counter_0.db", f"counter_{stays.process.pid}.db"})

    def test_a_process_that_never_counted(self) -> None:
        metrics.forget_process(2**22 + 1, self.shared)
        self.assertEqual(list(self.shared.glob("*.db")), [])

    def test_counts_never_fall_while_others_end(self) -> None:
        """A sum that falls looks to Prometheus as if all of it were new."""
        stays = self.worker()
        self.pings(stays, 1)
        seen: list[float] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                seen.append(scrape(stays.port).sum(REQUESTS, **PING))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(3):
                ends = self.worker()
                self.pings(ends, 5)
                self.end(ends)
        finally:
            done.set()
            watcher.join()
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(scrape(stays.port).sum(REQUESTS, **PING), 16)

    def test_a_file_that_is_only_just_made(self) -> None:
        stays = self.worker()
        self.pings(stays, 1)
        (self.shared / "counter_1.db").touch()
        self.assertEqual(scrape(stays.port).sum(REQUESTS, **PING), 1)
