"""A field that an action does not know is refused, with the nearest name that it knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ...error import MAX_DETAILS
from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.decorators import type_check, unpack
from ...http.rest_handler import RestHandler
from ..server_test import ServerTest


class Point(BaseModel):
    x: int
    y: int = 0


class Typed(TypedDict):
    x: int
    y: NotRequired[int]


@dataclass
class Data:
    x: int
    y: int = 0


class Strict(Point):
    model_config = ConfigDict(extra="forbid")


class Open(Point):
    model_config = ConfigDict(extra="allow")


class Named(BaseModel):
    a: int = Field(0, validation_alias=AliasChoices("first", AliasPath("list", 0)))
    b: int = Field(0, alias="second")


class ByName(Named):
    model_config = ConfigDict(populate_by_name=True)


class SearchHandler(ActionHandler):
    async def nothing(self) -> None: ...

    @unpack("query", limit=20)
    @type_check(str, int)
    async def fields(self, query: str, limit: int) -> Any:
        return [query, limit]

    @unpack("query")
    async def untyped(self, query: Any) -> Any:
        return query

    @type_check(Point)
    async def model(self, point: Point) -> Any:
        return point

    @type_check(Strict)
    async def strict(self, point: Strict) -> Any:
        return point

    @type_check(Typed)
    async def typed(self, point: Typed) -> Any:
        return {"y": 0, **point}

    @type_check(Data)
    async def data_class(self, point: Data) -> Any:
        return point

    @type_check(Annotated[Point, Field(title="Point")])
    async def annotated(self, point: Point) -> Any:
        return point

    @type_check(Open)
    async def open(self, point: Open) -> Any:
        return point

    @type_check(Named)
    async def named(self, named: Named) -> Any:
        return named.model_dump()

    @type_check(ByName)
    async def by_name(self, named: ByName) -> Any:
        return named.model_dump()

    @type_check(dict[str, int])
    async def anything(self, body: dict[str, int]) -> Any:
        return body


class ItemHandler(RestHandler):
    @unpack("item")
    async def post(self, item: Any) -> Any:
        return item

    async def put(self) -> Any:
        return self.body


class UnknownFieldTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        routes = [(r"/search/(?P<action>[a-zA-Z_]+)?", SearchHandler), (r"/item", ItemHandler)]
        app.add_handlers(".*", routes)
        return app

    def refused(self, action: str, body: Any, *paths: str) -> list[str]:
        """Return the sentence of each problem with an unknown field; `paths` are of all."""
        error = self.error(self.post(f"/search/{action}", body), 400, "invalid_argument", *paths)
        return [each["message"] for each in error["details"] if each["reason"] == "unknown"]

    def answer(self, action: str, body: Any) -> Any:
        return self.data(self.post(f"/search/{action}", body))

    def test_nearest(self) -> None:
        body = {"query": "a", "limt": 5, "colour": 1}
        self.assertEqual(
            self.refused("fields", body, "limt", "colour"),
            ["The field limt is unknown: did you mean limit?", "The field colour is unknown."],
        )

    def test_what_is_near(self) -> None:
        for name in ("limt", "limits", "lmit", "limet", "ilmit", "Limit", "li_mit", "LIM-IT"):
            (message,) = self.refused("fields", {"query": "", name: 1}, name)
            self.assertIn("did you mean limit?", message)
        for name in ("lt", "l", "", "limitless", "limit" * 20, "\U0001f511"):
            (message,) = self.refused("fields", {"query": "", name: 1}, name)
            self.assertNotIn("did you mean", message)

    def test_beside_other_problems(self) -> None:
        self.assertEqual(
            len(self.refused("fields", {"limit": "x", "q": 1}, "query", "limit", "q")), 1
        )
        self.assertEqual(len(self.refused("untyped", {"q": 1}, "query", "q")), 1)

    def test_an_action_without_fields(self) -> None:
        self.assertIsNone(self.answer("nothing", {}))
        self.assertEqual(len(self.refused("nothing", {"a": 1}, "a")), 1)

    def test_a_model(self) -> None:
        for action in ("model", "strict", "typed", "data_class", "annotated"):
            self.assertEqual(self.answer(action, {"x": 1}), {"x": 1, "y": 0})
            self.assertEqual(len(self.refused(action, {"x": 1, "z": 2}, "z")), 1)
            self.assertEqual(len(self.refused(action, {"x": 1, "y": "1", "z": 2}, "y", "z")), 1)

    def test_a_model_with_aliases(self) -> None:
        self.assertEqual(self.answer("named", {"first": 1, "second": 2}), {"a": 1, "b": 2})
        self.assertEqual(self.answer("named", {"list": [3]}), {"a": 3, "b": 0})
        self.assertEqual(len(self.refused("named", {"a": 1, "b": 2}, "a", "b")), 2)
        self.assertEqual(self.answer("by_name", {"a": 1, "b": 2}), {"a": 1, "b": 2})

    def test_bodies_that_may_have_any_field(self) -> None:
        for action in ("open", "anything"):
            body = {"x": 1, "y": 2, "z": 3}
            self.assertEqual(self.answer(action, body), body)

    def test_rest(self) -> None:
        answer = self.post("/item", {"item": 1, "itm": 2})
        self.assertEqual(answer.code, 400)
        self.assertIn("did you mean item?", json.loads(answer.body)["message"])
        self.assertEqual(self.fetch("/item", method="PUT", body='{"a": 1}').code, 200)

    def test_many(self) -> None:
        """Send a megabyte of unknown fields, and one whose name has a megabyte."""
        body: dict[str, Any] = {f"limi{number}": 1 for number in range(60_000)}
        answer = self.post("/search/fields", {**body, "query": ""})
        self.assertEqual(answer.code, 400)
        error = json.loads(answer.body)
        self.assertEqual(len(error["error"]["details"]), MAX_DETAILS)
        self.assertIn("There are 60000 problems in all.", error["data"])
        self.assertEqual(error["data"].count("did you mean limit?"), 10)
        self.assertEqual(answer.body.count(b"did you mean"), 20)
        answer = self.post("/search/fields", {"l" * 900_000: 1})
        self.assertLess(len(answer.body), 5_000)
