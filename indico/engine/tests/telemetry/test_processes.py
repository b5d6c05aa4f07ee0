"""Metrics of one server process, and of several processes that share a folder."""

from __future__ import annotations

import http.client
import os
import threading
from collections import Counter
from collections.abc import Callable
from unittest.mock import patch

from ...telemetry.processes import VARIABLE, forget_process
from ..environment import measured
from ..process.in_process import InProcessServer
from ..server_process import ProcessTest, until
from ..server_test import mongodb_uri
from .counting_process import CountingProcess
from .scrape import Scraped, scrape

REQUESTS = "sample_requests_total"
PING = {"resource": "system", "action": "ping", "status": "200"}
SECONDS = "sample_request_duration_seconds"
LAGS = "sample_event_loop_lag_seconds_count"
MEMORY = "sample_process_resident_memory_bytes"


def pids(scraped: Scraped) -> set[str]:
    return {labels["pid"] for labels in scraped.labels(MEMORY)}


class OneProcessTest(ProcessTest):
    def run_server(self, client: Callable[[InProcessServer], None]) -> None:
        database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_metrics")
        self.assertEqual(InProcessServer().run(client, *self.all_flags(*database)), 0)

    def counted(self, server: InProcessServer) -> Counter[tuple[str, str, str]]:
        """Return the number of requests for each resource, action and status."""
        scraped = scrape(server.port)
        return Counter(
            {
                (labels["resource"], labels["action"], labels["status"]): int(
                    scraped.sum(REQUESTS, **labels)
                )
                for labels in scraped.labels(REQUESTS)
            }
        )

    def test_valid(self) -> None:
        def client(server: InProcessServer) -> None:
            before = self.counted(server)
            for path in ("/system/ping", "/system/ping", "/user/get", "/user/nosuch", "/nosuch"):
                server.call(path)
            self.assertEqual(
                self.counted(server) - before,
                {
                    ("system", "ping", "200"): 2,
                    ("user", "get", "401"): 1,
                    ("user", "unknown", "404"): 1,
                    ("unknown", "unknown", "404"): 1,
                    ("metrics", "GET", "200"): 1,
                },
            )
            self.assertEqual(pids(scrape(server.port)), {str(os.getpid())})
            lags = scrape(server.port).sum(LAGS)
            until(lambda: scrape(server.port).sum(LAGS) > lags + 2)

        self.run_server(client)

    def test_in_flight(self) -> None:
        def client(server: InProcessServer) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.putrequest("POST", "/system/echo")
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"{")
            until(lambda: scrape(server.port).sum("sample_requests_in_flight") >= 1)
            connection.send(b"}")
            self.assertEqual(connection.getresponse().status, 200)
            until(lambda: scrape(server.port).sum("sample_requests_in_flight") == 0)
            connection.close()

        self.run_server(client)


class EndedProcessTest(ProcessTest):
    """Processes that share a folder, count and end, while one stays."""

    def setUp(self) -> None:
        super().setUp()
        self.shared = self.folder / "metrics"
        self.shared.mkdir()
        self.enterContext(patch.dict(os.environ, {VARIABLE: str(self.shared)}))
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
            self.check_sums(own, before)
            self.assertEqual(pids(before), {str(self.stays.pid), str(ends.pid)})
            self.assertEqual(len(before.labels("sample_build_info")), 1)
            self.end(ends)
            after = self.stays.scrape()
            self.check_sums(after, before)
            self.assertEqual(pids(after), {str(self.stays.pid)})
        self.assertEqual(self.stays.scrape().sum(REQUESTS, **PING), 7)
        left = {path.name for path in self.shared.glob("counter_*.db")}
        self.assertEqual(left, {"counter_0.db", f"counter_{self.stays.pid}.db"})
        self.forget_one_that_never_counted()
        self.find_a_file_that_is_only_just_made()

    def check_sums(self, one: Scraped, other: Scraped) -> None:
        """Check that both have the same number of requests, also in the histogram."""
        requests = other.sum(REQUESTS, **PING)
        self.assertEqual(one.sum(REQUESTS, **PING), requests)
        labels = {"resource": "system", "action": "ping"}
        self.assertEqual(one.sum(f"{SECONDS}_count", **labels), requests)
        self.assertEqual(one.sum(f"{SECONDS}_bucket", **labels, le="+Inf"), requests)

    def forget_one_that_never_counted(self) -> None:
        before = set(self.shared.glob("*.db"))
        forget_process(2**22 + 1, self.shared)
        self.assertEqual(set(self.shared.glob("*.db")), before)

    def find_a_file_that_is_only_just_made(self) -> None:
        (self.shared / "counter_1.db").touch()
        with measured():
            other = self.counting()
        self.assertEqual(other.scrape().sum(REQUESTS, **PING), 7)

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
            for _ in range(2):
                ends = self.counting()
                ends.count(5)
                self.end(ends)
                before = len(seen)
                until(lambda before=before: len(seen) > before + 1)  # type: ignore[misc]
        finally:
            done.set()
            watcher.join()
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], 11)
        self.assertEqual(self.stays.scrape().sum(REQUESTS, **PING), 11)
