"""The fields of a query: texts, of which a type may ask for a number or a boolean."""

from __future__ import annotations

import json
from typing import Any

from ...http.decorators import type_check, unpack
from ...http.rest_handler import RestHandler
from ..environment import HTTP_SERVER
from ..server_test import ServerTest


class QueryHandler(RestHandler):
    @unpack(count=1, flag=False, title="")
    @type_check(int, bool, str)
    async def get(self, count: int, flag: bool, title: str) -> list[Any]:
        return [count, flag, title]


class QueryTest(ServerTest):
    varies_with = (HTTP_SERVER,)

    def setUp(self) -> None:
        super().setUp()
        self._app.add_handlers(".*", [("/query", QueryHandler)])

    def test_valid(self) -> None:
        for query, values in (
            ("", [1, False, ""]),
            ("?count=-7&flag=true&title=5", [-7, True, "5"]),
            ("?title=true", [1, False, "true"]),
        ):
            self.assertEqual(json.loads(self.fetch(f"/query{query}").body), values)

    def test_wrong(self) -> None:
        for field, text in (("count", "many"), ("count", "1.5"), ("count", "007"), ("flag", "yes")):
            answer = self.fetch(f"/query?{field}={text}")
            (problem,) = json.loads(answer.body)["error"]["details"]
            self.assertEqual((answer.code, problem["path"]), (400, field))
