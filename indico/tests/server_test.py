"""`ServerTest`: a test against your app, on a real socket, with a database that it finds empty."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, ClassVar
from unittest.mock import patch

from argon2 import PasswordHasher
from tornado.httpclient import HTTPResponse

from indico.app import make_app
from indico.config import Settings
from indico.db import Collection
from indico.engine.http.application import Application
from indico.engine.tests import server_test
from indico.engine.tests.conformance import conformance
from indico.engine.tests.server_test import PASSWORD, exchange, mongodb_uri
from indico.service import passwords

__all__ = ["PASSWORD", "ServerTest", "exchange", "mongodb_uri"]

# The collections that most tests use: to make the indexes of all takes longer than most tests.
USUAL = ("addresses", "public_book", "sessions", "users")
YOURS = [each for each in Collection.declared if each.name in USUAL]
# A hash takes microseconds with these parameters, and 30 ms with those of the server.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class ServerTest(server_test.ServerTest):
    """Base of tests with `post`, `data`, `error`, `register`, `login` and `stored`.

    Passwords are hashed by `hasher`. The tests of a class share a database, which each of them
    finds empty.
    """

    config: Settings
    hasher: ClassVar[PasswordHasher] = CHEAP
    indexed = YOURS
    shares_database = True

    def setUp(self) -> None:
        self.enterContext(patch.object(passwords.HASHING, "hasher", self.hasher))
        super().setUp()

    def make_settings(self, **values: Any) -> Settings:
        return server_test.settings_of(Settings, values)

    def make_app(self, settings: Any) -> Application:
        return make_app(settings)

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Return the answer, which must be one that the API's document allows."""
        response = super().fetch(path, raise_error, **kwargs)
        method, answer = kwargs.get("method", "GET"), {}
        if "json" in response.headers.get("Content-Type", ""):
            with suppress(ValueError):  # an answer that was cut off
                answer = json.loads(response.body or b"{}")
        problem = conformance(self._app).problem(method, path, response.code, answer)
        self.assertEqual(problem, "")
        return response
