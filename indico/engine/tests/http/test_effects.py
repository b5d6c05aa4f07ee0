"""Calls that may be sent again, as the error of an answer says."""

from __future__ import annotations

import json
from typing import Any, cast

from ...error import APIError, Contended, DeadlineExceeded, Overloaded, RateLimited, Unavailable
from ...http.action import record_of
from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.decorators import unpack
from ...http.effects import idempotent, not_idempotent, read_only
from ...http.rest_handler import RestHandler
from ...mongo.driver import ObjectId
from ..sample.accounts import USERS, auth
from ..server_test import ServerTest

ERRORS = {
    kind.__name__: kind
    for kind in (APIError, Contended, DeadlineExceeded, Overloaded, RateLimited, Unavailable)
}
ALWAYS = {"Contended", "Overloaded", "RateLimited"}
IF_IDEMPOTENT = {"DeadlineExceeded", "Unavailable"}


class FailingHandler(ActionHandler):
    @read_only
    @unpack("error")
    async def read(self, error: str) -> None:
        raise ERRORS[error]

    @idempotent
    @unpack("error")
    async def replace(self, error: str) -> None:
        raise ERRORS[error]

    @not_idempotent
    @unpack("error")
    async def add(self, error: str) -> None:
        raise ERRORS[error]

    @unpack("error")
    async def unmarked(self, error: str) -> None:
        raise ERRORS[error]

    async def asks(self, body: dict[str, Any]) -> None:
        error = Unavailable()
        error.headers["Retry-After"] = body["value"]
        raise error


class FailingResource(RestHandler):
    async def get(self) -> None:
        raise Unavailable(retry_after=5)

    async def post(self) -> None:
        raise Unavailable(retry_after=5)

    @idempotent
    async def patch(self) -> None:
        raise Unavailable(retry_after=5)

    @auth
    async def put(self) -> None: ...


class RetryableTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        routes = [(r"/failing/(?P<action>[a-z]+)", FailingHandler), ("/items", FailingResource)]
        app.add_handlers(".*", cast(Any, routes))
        return app

    def about(self, path: str, **body: str) -> Any:
        return json.loads(self.post(path, body).body)["error"]

    def test_actions(self) -> None:
        for action, repeatable in (("read", 1), ("replace", 1), ("add", 0), ("unmarked", 0)):
            expected = ALWAYS | (IF_IDEMPOTENT if repeatable else set())
            retryable = {
                name for name in ERRORS if self.about(f"/failing/{action}", error=name)["retryable"]
            }
            self.assertEqual(retryable, expected, action)

    def test_facts(self) -> None:
        effects = {name: record_of(a).effect for name, a in FailingHandler.actions.items()}
        self.assertEqual(effects["read"], "read_only")
        self.assertEqual(effects["replace"], "idempotent")
        self.assertEqual(effects["add"], "not_idempotent")
        self.assertIsNone(effects["unmarked"])

    def test_retry_after(self) -> None:
        self.assertEqual(self.about("/failing/add", error="Contended")["retry_after"], 1)
        self.assertNotIn("retry_after", self.about("/failing/add", error="DeadlineExceeded"))
        date = "Fri, 31 Dec 1999 23:59:59 GMT"
        self.assertNotIn("retry_after", self.about("/failing/asks", value=date))
        self.assertEqual(self.about("/failing/asks", value="7")["retry_after"], 7)

    def test_rest(self) -> None:
        for method, retryable in (("GET", True), ("POST", False), ("PATCH", True)):
            response = self.fetch("/items", method=method, allow_nonstandard_methods=True)
            error = json.loads(response.body)["error"]
            self.assertEqual((error["retryable"], error["retry_after"]), (retryable, 5), method)

    def test_paths_and_methods_that_do_not_exist(self) -> None:
        for method, path in (("POST", "/nosuch"), ("PUT", "/failing/add"), ("BREW", "/items")):
            response = self.fetch(path, method=method, body="", allow_nonstandard_methods=True)
            self.assertFalse(json.loads(response.body)["error"]["retryable"])


class ChallengeTest(RetryableTest):
    def challenge(self, path: str, method: str = "POST", **headers: str) -> str:
        response = self.fetch(path, method=method, body="{}", headers=headers)
        self.assertEqual(response.code, 401)
        return response.headers["WWW-Authenticate"]

    def test_without_a_token(self) -> None:
        self.assertEqual(self.challenge("/auth/check"), "Bearer")
        self.assertEqual(self.challenge("/auth/check", Authorization="Basic YTpi"), "Bearer")

    def test_with_a_token(self) -> None:
        for sent in ("Bearer x", "bearer x"):
            for path, method in (("/auth/check", "POST"), ("/items", "PUT")):
                challenge = self.challenge(path, method, Authorization=sent)
                self.assertEqual(challenge, 'Bearer error="invalid_token"')

    def test_of_a_deleted_account(self) -> None:
        """Ask for an account that is gone while its token is there."""
        user = self.register()
        self.run_async(USERS.delete_by_id(ObjectId(user["user"]["id"])))
        challenge = self.challenge("/user/get", Authorization=f"Bearer {user['token']}")
        self.assertEqual(challenge, 'Bearer error="invalid_token"')

    def test_a_call_that_needs_no_token(self) -> None:
        body = json.dumps({"email": "a@b", "password": "wrong"})
        headers = {"Authorization": "Bearer x"}
        response = self.fetch("/auth/login", method="POST", body=body, headers=headers)
        self.assertEqual(response.headers["WWW-Authenticate"], "Bearer")
