"""`/healthz` and `/readyz`."""

from __future__ import annotations

from ...mongo import connection as db
from ...mongo.driver import mongodb
from ..server_test import ServerTest


class HealthTest(ServerTest):
    def test_valid(self) -> None:
        self.assertEqual(self.data(self.fetch("/healthz")), "ok")
        self.assertEqual(self.fetch("/healthz", method="HEAD").code, 200)

    def test_wrong_method(self) -> None:
        response = self.post("/healthz")
        self.error(response, 405, "method_not_allowed")
        self.assertEqual(response.headers["Allow"], "GET, HEAD")

    def test_lives_while_mongodb_does_not(self) -> None:
        self.run_async(db.disconnect())
        self.run_async(self.connect_to_nothing())
        self.assertEqual(self.data(self.fetch("/healthz")), "ok")
        error = self.error(self.fetch("/readyz"), 503, "unavailable", "mongodb")
        self.assertEqual(error["details"][0]["message"], "MongoDB does not answer.")
        self._app.stopping = True
        self.error(self.fetch("/readyz"), 503, "unavailable", "mongodb", "server")
        self.run_async(db.disconnect())
        self.run_async(self.connect())

    async def connect_to_nothing(self) -> None:
        mongodb.open("mongodb://127.0.0.1:1", self.database, self.config.mongodb_driver, 0.2)


class ReadyTest(ServerTest):
    def test_valid(self) -> None:
        checks = {"mongodb": "ok", "server": "ok"}
        self.assertEqual(self.data(self.fetch("/readyz")), {"checks": checks})
        self.assertEqual(self.fetch("/readyz", method="HEAD").code, 200)

    def test_stopping(self) -> None:
        self._app.draining = self._app.stopping = True
        response = self.fetch("/readyz")
        self.error(response, 503, "unavailable", "server")
        self.assertEqual(response.headers["Connection"], "close")
        self.assertIn("Retry-After", response.headers)

    def test_another_process_has_taken_its_place(self) -> None:
        self._app.draining = True
        response = self.fetch("/readyz")
        self.assertEqual((response.code, response.headers["Connection"]), (200, "close"))
