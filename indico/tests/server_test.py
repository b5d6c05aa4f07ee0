"""`ServerTest`: a test against your app, on a real socket, with a database of its own."""

from __future__ import annotations

from typing import Any

from indico.app import make_app
from indico.config import Settings
from indico.engine.http.application import Application
from indico.engine.tests import server_test
from indico.engine.tests.server_test import PASSWORD, exchange, mongodb_uri

__all__ = ["PASSWORD", "ServerTest", "exchange", "mongodb_uri"]


class ServerTest(server_test.ServerTest):
    """Has `post`, `data`, `error`, `register`, `login` and `stored`; runs on the defaults."""

    config: Settings

    def make_settings(self, **values: Any) -> Settings:
        return Settings(**values)

    def make_app(self, settings: Any) -> Application:
        return make_app(settings)
