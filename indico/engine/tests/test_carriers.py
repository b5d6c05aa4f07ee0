"""Errors, limits and headers are the same over each carrier of calls."""

from __future__ import annotations

from typing import Any

from ..http.action_handler import ActionHandler
from ..http.application import Application
from ..http.batch import BatchRoute
from ..live.routes import live_routes
from .carriers import CARRIERS, Call, over_each
from .sample import accounts
from .sample import app as sample
from .server_test import PASSWORD, ServerTest


class FaultHandler(ActionHandler):
    async def raises(self) -> None:
        raise ZeroDivisionError


class ErrorTest(ServerTest):
    settings = {"max_body_bytes": 10_000, "max_body_values": 500}  # noqa: RUF012

    def make_app(self, settings: Any) -> Application:
        fault = (r"/fault/(?P<action>[a-z]+)", FaultHandler)
        live = live_routes(settings, accounts.SESSIONS, accounts.find_session)
        return Application([*sample.ROUTES, fault, BatchRoute, *live], settings)

    def refused(self, call: Call, status: int, code: str, *paths: str) -> None:
        """Make a call over each carrier, which must be refused in the same words."""
        envelope: Any = over_each(self, call)
        self.assertEqual((envelope["status"], envelope["error"]["code"]), (status, code), envelope)
        found = [detail["path"] for detail in envelope["error"]["details"]]
        self.assertEqual(found, list(paths))

    def test_unknown_actions(self) -> None:
        for action in ("user/nosuch", "user/finish", "nosuch/get"):
            self.refused(Call(action), 404, "not_found")

    def test_no_token(self) -> None:
        for token in (None, "", "x" * 43, "no token"):
            self.refused(Call("user/get", token=token), 401, "unauthenticated")

    def test_wrong_bodies(self) -> None:
        token, invalid = self.register()["token"], (400, "invalid_argument")
        for body, *paths in (
            ({"update_user": {"name": 5}}, "update_user.name"),
            ({"update_user": {}}, "update_user.name"),
            ({"update_user": {"name": "Ada"}, "b": 1}, "b"),
            ({"b": 1}, "update_user", "b"),
        ):
            self.refused(Call("user/update", body, token), *invalid, *paths)

    def test_too_large(self) -> None:
        self.refused(Call("system/echo", {"a": "x" * 20_000}), 413, "too_large")
        self.refused(Call("system/echo", {"a": [1] * 600}), 413, "too_large")

    def test_a_deadline(self) -> None:
        call = Call("system/wait", {"seconds": 600.0}, timeout_ms=20)
        self.refused(call, 504, "deadline_exceeded")

    def test_a_fault(self) -> None:
        self.refused(Call("fault/raises"), 500, "internal")


class IdempotencyKeyTest(ServerTest):
    def test_a_call_happens_once(self) -> None:
        for number, carrier in enumerate(CARRIERS):
            email = f"ada{number}@example.com"
            body = {"email": email, "password": PASSWORD}
            call = Call("auth/register", body, idempotency_key=f"key {number}")
            first: Any = carrier(self, call)
            self.assertEqual(first["status"], 201, first)
            again = carrier(self, call)
            self.assertEqual(again["data"], first["data"])
            other = call._replace(body={**body, "email": "eve@example.com"})
            self.assertEqual(carrier(self, other)["status"], 422)
            self.assertEqual(len(self.stored("sample_users", email=email)), 1)
        self.assertEqual(len(self.stored("sample_users")), len(CARRIERS))
