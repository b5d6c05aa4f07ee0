"""The OpenAPI document: what it says of the sample's operations, and what it refuses."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, cast
from unittest import TestCase

from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from ...error import Conflict, PreconditionFailed, RateLimited
from ...http.action_handler import ActionHandler
from ...http.answer import Created
from ...http.decorators import raises, type_check, unpack
from ...http.deprecation import deprecated
from ...http.effects import read_only
from ...http.paging import Page
from ...http.rest_handler import RestHandler
from ...openapi.document import API
from ...openapi.failures import OPEN_ENUM
from ...openapi.pages import DocsHandler, api_of
from ...openapi.schemas import Schema
from ..sample.accounts import auth
from ..sample.app import ROUTES, Settings, make_app


class Taken(Conflict):
    reasons = ("taken",)


class Thing(BaseModel):
    name: str = Field("", max_length=5, examples=["chair"])


class Side(Enum):
    LEFT = "left"


@dataclass
class Place:
    row: int
    side: Side


class ThingHandler(ActionHandler):
    """Things."""

    @read_only
    @auth
    @unpack("thing", "place", limit=2, since=None, tags=None)
    @type_check(Thing, Place, Annotated[float, Field(ge=1)], date, set[str])
    @raises(Taken, RateLimited)
    async def make(
        self, thing: Thing, place: Place, limit: float, since: date | None, tags: set[str] | None
    ) -> Created[list[Thing]]:
        """Make things
        of one kind.

        All at once.
        """
        return [thing]

    @deprecated(since=date(2026, 1, 1), sunset=date(2999, 1, 1))
    @unpack("anything")
    async def old(self, anything: Any) -> None:
        """Do nothing."""

    @type_check(Thing)
    async def whole(self, thing: Thing) -> Thing:
        """Return the thing."""
        return thing


class PagesHandler(ActionHandler):
    """Pages."""

    async def things(self) -> Page[Thing]:
        """Return a page of things."""
        return Page(items=[], next_cursor=None)

    async def places(self) -> Page[Place]:
        """Return a page of places."""
        return Page(items=[], next_cursor=None)


class ThingsHandler(RestHandler):
    """Things by REST."""

    async def get(self, thing_id: str, part: str) -> Thing | None:  # type: ignore[override]
        """Return a part."""
        return None

    @raises(PreconditionFailed)
    async def delete(self, thing_id: str, part: str) -> None:
        """Delete a part."""


def document_of(*routes: Any) -> Schema:
    return API("title", "1.0", routes).document()


THING = (r"/thing/(?P<action>[a-zA-Z_]+)?", ThingHandler)
THINGS: tuple[Any, ...] = (r"/things/([^/]+)/parts/([0-9]+)/?", ThingsHandler, {})


class OperationTest(TestCase):
    document: Schema
    operation: Schema

    @classmethod
    def setUpClass(cls) -> None:
        cls.document = document_of(THING, THINGS, (r"/page", DocsHandler))
        cls.operation = cls.document["paths"]["/thing/make"]["post"]

    def test_names_and_text(self) -> None:
        operation = self.operation
        self.assertEqual(operation["operationId"], "thing_make")
        self.assertEqual(operation["tags"], ["thing"])
        self.assertEqual(self.document["tags"][0], {"name": "thing", "description": "Things."})
        self.assertEqual(operation["summary"], "Make things of one kind.")
        self.assertEqual(operation["description"], "All at once.")
        self.assertEqual(operation["x-effect"], "read_only")
        self.assertEqual(self.document["info"]["title"], "title")

    def test_token(self) -> None:
        self.assertEqual(self.operation["security"], [{"token": []}])
        self.assertNotIn("security", self.document["paths"]["/thing/old"]["post"])

    def test_fields(self) -> None:
        content = self.operation["requestBody"]["content"]["application/json"]
        schema = content["schema"]
        self.assertEqual(schema["required"], ["thing", "place"])
        self.assertFalse(schema["additionalProperties"])
        properties = schema["properties"]
        self.assertEqual(properties["thing"], {"$ref": "#/components/schemas/Thing"})
        self.assertEqual(properties["limit"], {"type": "number", "minimum": 1, "default": 2})
        since = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None}
        self.assertEqual(properties["since"], since)
        thing = self.document["components"]["schemas"]["Thing"]["properties"]["name"]
        self.assertEqual((thing["maxLength"], thing["default"]), (5, ""))
        example = {
            "thing": {"name": "chair"},
            "place": {"row": 1, "side": "left"},
            "limit": 2,
            "since": None,
        }
        self.assertEqual(content["example"], {**example, "tags": None})

    def test_integers_have_64_bits(self) -> None:
        row = self.document["components"]["schemas"]["Place"]["properties"]["row"]
        self.assertEqual((row["minimum"], row["maximum"]), (-(2**63), 2**63 - 1))

    def test_answer_in_the_envelope(self) -> None:
        content = self.operation["responses"]["201"]["content"]["application/json"]
        data = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
        self.assertEqual(content["schema"]["properties"]["data"], data)
        self.assertEqual(content["schema"]["properties"]["status"]["const"], 201)
        self.assertEqual(content["example"], {"status": 201, "data": [{"name": "chair"}]})

    def about(self, status: str, operation: Schema) -> Schema:
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        found: Schema = schema["properties"]["error"]["properties"]
        return found

    def reason(self, status: str, operation: Schema) -> Schema:
        found: Schema = self.about(status, operation)["details"]["items"]["properties"]["reason"]
        return found

    def reasons(self, status: str, operation: Schema) -> set[str]:
        return set(self.reason(status, operation)[OPEN_ENUM])

    def test_errors_and_their_reasons(self) -> None:
        expected = ["201", "400", "401", "403", "409", "413", "415", "429", "500", "503", "504"]
        self.assertEqual(list(self.operation["responses"]), expected)
        codes = self.about("400", self.operation)["code"]["enum"]
        self.assertEqual(codes, ["malformed", "invalid_argument"])
        reasons = self.reasons("400", self.operation)
        self.assertNotIn("enum", self.reason("400", self.operation))  # a new one breaks no client
        some = {"missing", "unknown", "string_too_long", "greater_than_equal", "date_parsing"}
        some |= {"dataclass_type", "enum", "set_type", "float_type", "int_too_long", "timeout"}
        self.assertLessEqual(some, reasons)
        self.assertNotIn("bool_type", reasons)
        self.assertEqual(self.reasons("409", self.operation), {"taken"})
        detail = self.about("400", self.operation)["details"]["items"]["properties"]
        self.assertEqual((detail["path"], detail["message"]), ({"type": "string"},) * 2)
        shared = self.document["components"]["responses"]
        self.assertIn("Retry-After", shared["RateLimited"]["headers"])
        self.assertNotIn("PreconditionFailed", shared)

    def test_titles(self) -> None:
        """Generators name a class after the title, and refuse two that are called Page."""
        document = document_of((r"/pages/(?P<action>[a-z]+)?", PagesHandler))
        schemas = document["components"]["schemas"]
        self.assertLessEqual({"PageOfThing", "PageOfPlace"}, schemas.keys())
        for name, schema in schemas.items():
            self.assertEqual(schema.get("title", name), name)

    def test_a_name_is_not_that_of_a_property(self) -> None:
        """Generated Python has a variable for each property, and one of the class's name."""
        for name, schema in self.document["components"]["schemas"].items():
            self.assertNotIn(name.lower(), schema.get("properties", {}))

    def test_deprecated(self) -> None:
        operation = self.document["paths"]["/thing/old"]["post"]
        self.assertTrue(operation["deprecated"])
        self.assertEqual(operation["responses"]["410"], {"$ref": "#/components/responses/Gone"})
        self.assertIn("Sunset", operation["responses"]["200"]["headers"])

    def test_a_field_without_type(self) -> None:
        content = self.document["paths"]["/thing/old"]["post"]["requestBody"]["content"]
        schema = content["application/json"]["schema"]
        self.assertEqual(schema["properties"], {"anything": {}})

    def test_whole_body(self) -> None:
        body = self.document["paths"]["/thing/whole"]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        self.assertEqual(schema["properties"].keys(), {"name"})
        self.assertFalse(schema["additionalProperties"])

    def test_rest(self) -> None:
        operation = self.document["paths"]["/things/{thing_id}/parts/{part}"]["get"]
        self.assertEqual(operation["operationId"], "things_get")
        names = [each["name"] for each in operation["parameters"] if "name" in each]
        self.assertEqual(names, ["thing_id", "part"])
        content = operation["responses"]["200"]["content"]["application/json"]
        self.assertEqual(content["schema"], {"$ref": "#/components/schemas/Thing"})
        self.assertIn("ETag", operation["responses"]["200"]["headers"])
        self.assertIn("304", operation["responses"])
        error = {"$ref": "#/components/responses/RestInternal"}
        self.assertEqual(operation["responses"]["500"], error)

    def test_request_headers(self) -> None:
        part = self.document["paths"]["/things/{thing_id}/parts/{part}"]
        timeout = "Connect-Timeout-Ms"
        for operation, names in (
            (self.operation, [timeout]),
            (part["get"], [timeout, "If-None-Match"]),
            (part["delete"], [timeout, "Idempotency-Key", "If-Match", "If-None-Match"]),
        ):
            found = [each["$ref"] for each in operation["parameters"] if "$ref" in each]
            self.assertEqual(found, [f"#/components/parameters/{name}" for name in names])
        self.assertLessEqual(set(names), self.document["components"]["parameters"].keys())

    def test_a_call_that_happens_once(self) -> None:
        change = self.document["paths"]["/things/{thing_id}/parts/{part}"]["delete"]
        self.assertIn("Idempotent-Replayed", change["responses"]["204"]["headers"])
        self.assertIn("idempotency_key", self.reasons("400", change))
        self.assertNotIn("idempotency_key", self.reasons("400", self.operation))
        reused = {"$ref": "#/components/responses/RestIdempotencyKeyReused"}
        self.assertEqual(change["responses"]["422"], reused)
        conflict = self.document["components"]["responses"]["RestConflict"]
        self.assertIn("Retry-After", conflict["headers"])


class SampleTest(TestCase):
    """The document of the whole sample."""

    def test_every_route_is_described(self) -> None:
        document = api_of(make_app(Settings.model_construct())).document()
        described = set(document["paths"])
        actions = {
            f"{pattern.split('(')[0]}{name}"
            for pattern, kind in cast("list[tuple[str, type]]", ROUTES)
            if issubclass(kind, ActionHandler)
            for name in kind.actions
        }
        others = {
            "/items",
            "/items/{item_id}",
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
            "/batch",
        }
        self.assertEqual(described, actions | others)
        metrics = document["paths"]["/metrics"]["get"]["responses"]
        self.assertIn("text/plain", metrics["200"]["content"])
        self.assertIn("403", metrics)
        query = document["paths"]["/items"]["get"]["parameters"][0]
        self.assertEqual((query["name"], query["in"], query["required"]), ("limit", "query", False))
        made = document["paths"]["/items"]["post"]["responses"]["201"]
        self.assertIn("Location", made["headers"])
        self.assertNotIn("content", made)


class RefusalTest(TestCase):
    def refused(self, action: Any, why: str) -> None:
        async def fine(self: Any) -> int:
            """Return 1."""
            return 1

        kind = type("MadeHandler", (ActionHandler,), {"fine": fine, "make": action})
        with self.assertRaisesRegex(TypeError, why):
            document_of((r"/made/(?P<action>[a-zA-Z_]+)?", kind))

    def test_without_a_docstring(self) -> None:
        async def make(self: Any) -> None: ...

        self.refused(make, "make can't be described: write in a docstring")

    def test_without_an_annotation(self) -> None:
        async def make(self):  # type: ignore[no-untyped-def]
            """Make."""

        self.refused(make, "write what it answers as its return annotation")

    def test_any(self) -> None:
        async def make(self: Any) -> Any:
            """Make."""

        self.refused(make, "write what it answers")

    def test_any_inside(self) -> None:
        async def make(self: Any) -> list[dict[str, Any]]:
            """Make."""
            return []

        self.refused(make, "made_make can't be described: Any says nothing")
