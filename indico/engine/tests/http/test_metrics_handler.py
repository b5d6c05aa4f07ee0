"""`/metrics`: what is counted, and under which labels."""

from __future__ import annotations

import asyncio
import gzip
import json
from unittest import IsolatedAsyncioTestCase, TestCase
from unittest.mock import Mock, patch

from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPServerRequest

from ...error import Conflict
from ...http.admission import Admission
from ...http.admission_window import AdmissionWindow
from ...http.application import Application
from ...http.application import metrics_app as make_metrics_app
from ...http.json_handler import JSONHandler
from ...http.route_names import RouteNames
from ...log import LOGGER
from ...mongo import connection as db
from ...mongo.collection import Collection, Document
from ...mongo.driver import mongodb
from ...telemetry import exposition
from ..sample.app import Settings
from ..server_test import ServerTest
from ..telemetry.scrape import Scraped, samples

REQUESTS = "sample_requests_total"
SECONDS = "sample_request_duration_seconds_count"
OPERATIONS = "sample_database_operation_duration_seconds_count"
ERRORS = "sample_database_operation_errors_total"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class MetricsTest(ServerTest):
    """Requests are counted. Tests compare counts, because all tests of a process share them."""

    def scraped(self) -> Scraped:
        response = self.fetch("/metrics")
        self.assertEqual(response.code, 200)
        self.assertEqual(
            response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8"
        )
        return Scraped(response.body.decode())

    def added(self, path: str, method: str = "POST", status: int = 200, **labels: str) -> None:
        """Assert that `path` is counted once, with these labels and no others."""
        labels["status"] = str(status)
        before = self.scraped()
        response = self.fetch(path, method=method, body="{}" if method in ("POST", "PUT") else None)
        self.assertEqual(response.code, status, response.body)
        after = self.scraped()
        others = [{"resource": "metrics"}, labels]
        for name in (REQUESTS, SECONDS):
            if name == SECONDS:
                del labels["status"]
            added = [after.sum(name, **each) - before.sum(name, **each) for each in others]
            self.assertEqual(added, [1, 1], name)
            self.assertEqual(after.sum(name) - before.sum(name), 2, name)

    def test_action(self) -> None:
        self.added("/system/ping", resource="system", action="ping")

    def test_anonymous(self) -> None:
        self.added("/user/get", status=401, resource="user", action="get")

    def test_an_accept_that_makes_no_sense(self) -> None:
        for kind in ("text/plain", "application/openmetrics-text"):
            for version in ("a.b.c", '"1.0.0"'):
                response = self.fetch("/metrics", headers={"Accept": f"{kind}; version={version}"})
                self.assertEqual(response.code, 200)
                self.assertIn("text/plain", response.headers["Content-Type"])

    def test_unknown_action(self) -> None:
        self.added("/user/finish", status=404, resource="user", action="unknown")
        self.added("/user/", status=404, resource="user", action="unknown")

    def test_unknown_path(self) -> None:
        self.added("/nosuch/action", status=404, resource="unknown", action="unknown")
        self.added("/nosuch", "GET", status=404, resource="unknown", action="unknown")

    def test_wrong_method(self) -> None:
        self.added("/user/get", "GET", status=405, resource="user", action="unknown")
        self.added("/items", "PUT", status=405, resource="items", action="unknown")

    def test_rest(self) -> None:
        self.added("/items", "GET", resource="items", action="GET")
        path = "/items/0123456789abcdef01234567"
        self.added(path, "GET", status=404, resource="items", action="GET")
        self.added("/healthz", "HEAD", resource="healthz", action="HEAD")

    def test_no_label_is_what_a_client_made_up(self) -> None:
        for path in ("/evil1", "/user/evil2", "/items/evil3", "/evil4/get"):
            self.fetch(path, method="EVIL5", allow_nonstandard_methods=True)
            self.fetch(path)
        self.assertNotIn("evil", self.fetch("/metrics").body.decode().lower())

    def test_server_error(self) -> None:
        self.run_async(db.disconnect())
        body = {"email": "ada@example.com", "password": "correct horse"}
        before = self.scraped()
        self.error(self.post("/auth/login", body), 503, "unavailable")
        after = self.scraped()
        found = {"resource": "auth", "action": "login", "status": "503"}
        self.assertEqual(after.sum(REQUESTS, **found) - before.sum(REQUESTS, **found), 1)
        failed = {"collection": "sample_users", "operation": "find_one", "error": "unavailable"}
        self.assertEqual(after.sum(ERRORS, **failed) - before.sum(ERRORS, **failed), 1)
        self.run_async(self.connect())

    def test_process(self) -> None:
        scraped = self.scraped()
        names = {sample.name for sample in samples(scraped.text)}  # the whole page is valid
        self.assertLess({"sample_build_info", REQUESTS}, names)
        self.assertGreater(scraped.sum("sample_process_resident_memory_bytes"), 1e6)
        self.assertGreater(scraped.sum("sample_process_cpu_seconds"), 0)
        self.assertGreater(scraped.sum("sample_process_open_fds"), 3)
        self.assertGreater(scraped.sum("sample_process_start_time_seconds"), 1e9)
        (build,) = scraped.labels("sample_build_info")
        self.assertEqual(set(build), {"version", "python"})

    def test_openmetrics(self) -> None:
        response = self.fetch("/metrics", headers={"Accept": OPENMETRICS})
        self.assertIn("application/openmetrics-text", response.headers["Content-Type"])
        self.assertTrue(response.body.endswith(b"# EOF\n"))

    def test_gzip(self) -> None:
        asked = {"Accept-Encoding": "gzip"}
        response = self.fetch("/metrics", headers=asked, decompress_response=False)
        self.assertEqual(response.headers["Content-Encoding"], "gzip")
        self.assertIn(b"sample_requests_total{", gzip.decompress(response.body))

    def test_head(self) -> None:
        response = self.fetch("/metrics", method="HEAD")
        self.assertEqual((response.code, response.body), (200, b""))

    def test_no_other_method(self) -> None:
        response = self.post("/metrics")
        self.error(response, 405, "method_not_allowed")
        self.assertEqual(response.headers["Allow"], "GET, HEAD")


class CollectionTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.notes = Collection("notes", Document)
        self.addCleanup(Collection.declared.remove, self.notes)

    def counted(self, name: str = OPERATIONS) -> dict[str, float]:
        scraped = Scraped(self.fetch("/metrics").body.decode())
        label = "operation" if name == OPERATIONS else "error"
        found = [each[label] for each in scraped.labels(name) if each["collection"] == "notes"]
        return {
            value: scraped.sum(name, **{"collection": "notes", label: value}) for value in found
        }

    @staticmethod
    def more(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
        return {
            name: count - before.get(name, 0)
            for name, count in after.items()
            if count != before.get(name, 0)
        }

    async def everything(self) -> None:
        key = await self.notes.insert({"a": 1})
        await self.notes.find_by_id(key)
        await self.notes.find_one({"a": 1})
        await self.notes.find({})
        await self.notes.find_part({}, sort=[("_id", 1)], limit=5, max_bytes=1000)
        await self.notes.find_ids({}, 5)
        await self.notes.aggregate([])
        await self.notes.update_by_id(key, {"a": 2})
        await self.notes.update_one({"a": 2}, {"a": 3})
        await self.notes.delete_by_id(key)
        await self.notes.delete({})

    ONCE = dict.fromkeys(
        (
            *("insert", "find_by_id", "find_one", "find", "find_part", "find_ids", "aggregate"),
            *("update_by_id", "update_one", "delete_by_id", "delete"),
        ),
        1.0,
    )

    def test_each_counts_once(self) -> None:
        before = self.counted()
        self.run_async(self.everything())
        self.assertEqual(self.more(before, self.counted()), self.ONCE)

    def test_alone_too(self) -> None:
        mongodb.max_batches_in_flight = 0
        before = self.counted()
        self.run_async(self.everything())
        self.assertEqual(self.more(before, self.counted()), self.ONCE)

    def test_errors(self) -> None:
        async def fail() -> None:
            await self.notes.insert({"_id": "a"})
            with self.assertRaises(Conflict):
                await self.notes.insert({"_id": "a"})
            with self.assertRaises(Exception):  # noqa: B017
                await self.notes.aggregate([{"$nosuch": 1}])
            with self.assertRaises(TypeError):
                await self.notes.find({}, limit="1")  # type: ignore[arg-type]
            cancelled = asyncio.create_task(self.notes.find({}))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])

        before = self.counted(ERRORS)
        self.run_async(fail())
        more = self.more(before, self.counted(ERRORS))
        self.assertEqual(more, {"conflict": 1, "internal": 2, "cancelled": 1})

    def test_connections_and_batches(self) -> None:
        async def together() -> None:
            await asyncio.gather(*(self.notes.insert({}) for _ in range(20)))

        before = Scraped(self.fetch("/metrics").body.decode())
        self.run_async(together())
        after = Scraped(self.fetch("/metrics").body.decode())
        self.assertGreaterEqual(after.sum("sample_database_connections"), 1)
        self.assertEqual(after.sum("sample_database_connections_in_use"), 0)
        size = "sample_database_batch_size_operations"
        self.assertEqual(after.sum(f"{size}_sum") - before.sum(f"{size}_sum"), 20)
        self.assertLess(after.sum(f"{size}_count") - before.sum(f"{size}_count"), 20)
        wait = "sample_database_connection_wait_seconds_count"
        self.assertGreater(after.sum(wait), before.sum(wait))


class ResourceTest(TestCase):
    def test_any_route_has_a_name(self) -> None:
        nested = r"/b/(\d+)/(c|d)?/?$"
        patterns = (r".*", r"/", r"/([^/]+)", r"/a", nested, r"/e/.*")
        kinds = {pattern: type("Handler", (JSONHandler,), {}) for pattern in patterns}
        app = Application(list(kinds.items()), Settings())
        names = RouteNames(app.wildcard_router.rules)
        request = HTTPServerRequest("GET", "/", connection=Mock())
        made = {pattern: kind(app, request) for pattern, kind in kinds.items()}
        named = [names.resource(handler) for handler in made.values()]
        self.assertEqual(named, [".*", "", "{}", "a", "b", "e"])
        self.assertEqual(names.route(made[nested]), "/b/{}/{}")


class PortOfItsOwnTest(ServerTest):
    settings = {"metrics_port": 0}  # noqa: RUF012

    def test_not_on_the_other(self) -> None:
        self.error(self.fetch("/metrics"), 404, "not_found")


class MetricsAppTest(ServerTest):
    """The application on `metrics_port`."""

    def get_app(self) -> Application:
        super().get_app()
        return make_metrics_app(self.config)

    def test_valid(self) -> None:
        self.assertIn(b"sample_build_info{", self.fetch("/metrics").body)
        self.assertEqual(self.data(self.fetch("/healthz")), "ok")
        self.assertEqual(self.data(self.fetch("/readyz"))["checks"]["mongodb"], "ok")

    def test_nothing_else(self) -> None:
        self.error(self.post("/system/ping"), 404, "not_found")


class ClientTest(ServerTest):
    """Clients that may read `/metrics`, each behind a trusted proxy."""

    settings = {"trusted_proxies": "127.0.0.1, 10.0.0.0/8"}  # noqa: RUF012
    allowed: tuple[str, ...] = ("10.1.2.3", "127.0.0.5", "::1", "::ffff:10.0.0.1")
    refused: tuple[str, ...] = ("203.0.113.5", "2001:db8::7", "203.0.113.5, 192.0.2.1")

    def ask(self, client: str, method: str = "GET") -> HTTPResponse:
        return self.fetch("/metrics", method=method, headers={"X-Forwarded-For": client})

    def test_allowed(self) -> None:
        self.assertEqual(self.fetch("/metrics").code, 200)
        for client in self.allowed:
            self.assertEqual(self.ask(client).code, 200, client)

    def test_refused(self) -> None:
        for client in self.refused:
            self.assertEqual(self.ask(client, "HEAD").code, 403, client)
            self.error(self.ask(client), 403, "permission_denied")


class MetricsClientsTest(ClientTest):
    settings = {"trusted_proxies": "127.0.0.1", "metrics_clients": "192.0.2.0/24"}  # noqa: RUF012
    allowed = ("192.0.2.1", "127.0.0.1", "203.0.113.5, 192.0.2.7")
    refused = ("203.0.113.5", "10.1.2.3", "192.0.2.1, 203.0.113.5")


class PortOfItsOwnForAllTest(ClientTest):
    settings = {"trusted_proxies": "127.0.0.1", "metrics_port": 0}  # noqa: RUF012
    allowed = ("203.0.113.5", "127.0.0.1")
    refused = ()

    def get_app(self) -> Application:
        super().get_app()
        return make_metrics_app(self.config)


class IntervalTest(ServerTest):
    settings = {"metrics_interval_seconds": 3600}  # noqa: RUF012

    def pings(self, compressed: bool = False) -> float:
        page = self.fetch("/metrics", decompress_response=compressed).body.decode()
        return Scraped(page).sum(REQUESTS, resource="system")

    def test_a_page_is_rendered_once(self) -> None:
        before = self.pings()
        self.post("/system/ping")
        self.assertEqual(self.pings(), before)
        self.assertEqual(self.pings(compressed=True), before + 1)

    def test_clients_at_once_share_it(self) -> None:
        async def ask() -> list[bytes]:
            asked = [self.http_client.fetch(self.get_url("/metrics")) for _ in range(10)]
            return [response.body for response in await asyncio.gather(*asked)]

        with patch.object(exposition, "page", wraps=exposition.page) as page:
            self.assertEqual(len(set(self.run_async(ask()))), 1)
        self.assertEqual(page.call_count, 1)

    def test_one_that_fails_is_not_kept(self) -> None:
        with patch.object(exposition, "page", side_effect=OSError), self.assertLogs(LOGGER):
            self.error(self.fetch("/metrics"), 500, "internal")
        self.assertEqual(self.fetch("/metrics").code, 200)


class PlaceTest(IsolatedAsyncioTestCase):
    async def test_it_takes_nobody_s_place(self) -> None:
        admission = Admission(1, 1, AdmissionWindow(1, lambda now: 0, int))
        for path in ("/metrics", "/healthz", "/readyz"):
            self.assertTrue(admission.admit(HTTPServerRequest("GET", path, connection=Mock())))
        self.assertFalse(admission.is_full())
        self.assertTrue(admission.admit(HTTPServerRequest("GET", "/a", connection=Mock())))
        self.assertTrue(admission.is_full())


class NoDebugTest(ServerTest):
    """Paths on which other servers show their inside."""

    paths = (
        *("/debug", "/debug/", "/debug/pprof", "/debug/pprof/", "/debug/pprof/profile"),
        *("/debug/vars", "/debug/requests", "/metrics/", "/metrics/x", "/healthz/", "/_debug"),
        *("/__debug__/", "/status", "/server-status", "/actuator", "/actuator/env", "/console"),
    )

    def test_not_there(self) -> None:
        for path in self.paths:
            for response in (self.fetch(path), self.post(path)):
                body = json.loads(response.body)
                self.assertEqual((response.code, body["status"]), (404, 404), path)
                self.assertEqual(body["error"]["code"], "not_found")
                self.assertNotIn("trace", body["error"])


class NoDebugWithDebugTest(NoDebugTest):
    settings = {"debug": True}  # noqa: RUF012
