"""`unpack`, `type_check`, and the order of the checks of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from unittest import TestCase

from pydantic import BaseModel, ConfigDict, Field
from tornado.web import RequestHandler

from ...error import MAX_DETAILS
from ...http.action import REQUIRED, record_of
from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.decorators import type_check, unpack
from ...http.json_handler import JSONHandler
from ...http.rest_handler import RestHandler
from ...mongo.driver import Id, ObjectId
from ..sample.accounts import auth, find_session
from ..sample.app import Settings
from ..server_test import ServerTest


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")

    x: int
    y: int = 0
    at: datetime | None = None
    next: Point | None = None


class FieldsHandler(ActionHandler):
    @unpack("a", "b", limit=20)
    async def unpacked(self, a: Any, b: Any, limit: Any) -> Any:
        return [a, b, limit]

    @unpack("a", "b", limit=20, note=None)
    @type_check(int, str, Annotated[int, Field(ge=1, le=100)], str)
    async def checked(self, a: int, b: str, limit: int, note: str | None) -> Any:
        return [a, b, limit, note]

    @unpack("value")
    @type_check(int)
    async def an_int(self, value: int) -> Any:
        return value

    @unpack("value")
    @type_check(float)
    async def a_float(self, value: float) -> Any:
        return value

    @unpack("value")
    @type_check(Literal["a", "b"] | list[int])
    async def a_union(self, value: Any) -> Any:
        return value

    @unpack("value")
    @type_check(Point)
    async def a_model(self, value: Point) -> Any:
        assert isinstance(value, Point)
        return [value.x, value.y, value.at, value.next and value.next.x]

    @unpack("value")
    @type_check(Id)
    async def an_id(self, value: ObjectId) -> Any:
        assert isinstance(value, ObjectId)
        return value

    @type_check(Point)
    async def whole(self, value: Point) -> Any:
        return value.x

    @type_check(dict[str, int])
    async def whole_dict(self, value: dict[str, int]) -> Any:
        return value

    @unpack(value=None)
    async def optional(self, value: Any) -> Any:
        return value

    @auth
    @unpack("a")
    @type_check(int)
    async def with_a_token(self, a: int) -> Any:
        return a


class FieldsTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [(r"/fields/(?P<action>[a-zA-Z_]+)?", FieldsHandler)])
        return app

    def call(self, action: str, body: Any) -> Any:
        return self.post(f"/fields/{action}", body)


class UnpackTest(FieldsTest):
    def test_valid(self) -> None:
        body = {"limit": 5, "b": [2], "a": None}
        self.assertEqual(self.data(self.call("unpacked", body)), [None, [2], 5])
        self.assertEqual(self.data(self.call("unpacked", {"a": 1, "b": 2})), [1, 2, 20])

    def test_missing_field(self) -> None:
        self.error(self.call("unpacked", {"limit": 1}), 400, "invalid_argument", "a", "b")
        self.error(self.call("unpacked", {"a": 1}), 400, "invalid_argument", "b")

    def test_empty_body(self) -> None:
        self.error(self.call("unpacked", b""), 400, "malformed")
        self.assertIsNone(self.data(self.call("optional", b"")))


class OrderTest(FieldsTest):
    """The order of the checks: a JSON object, the token, the fields."""

    def test_valid(self) -> None:
        token = self.register()["token"]
        self.assertEqual(self.data(self.post("/fields/with_a_token", {"a": 1}, token)), 1)

    def test_malformed_comes_before_anonymous(self) -> None:
        for body in (b"{", b"[]"):
            self.error(self.call("with_a_token", body), 400, "malformed")
            self.error(self.post("/auth/check", body), 400, "malformed")

    def test_anonymous_comes_before_the_fields(self) -> None:
        for body in (b"", {}, {"a": "1"}):
            self.error(self.call("with_a_token", body), 401, "unauthenticated")

    def test_an_action_without_fields_needs_an_object_too(self) -> None:
        self.error(self.post("/system/ping", b"[1]"), 400, "malformed")


class TypeCheckTest(FieldsTest):
    def test_valid(self) -> None:
        self.assertEqual(self.data(self.call("checked", {"a": 1, "b": "2"})), [1, "2", 20, None])
        body = {"a": 1, "b": "2", "limit": 100, "note": "n"}
        self.assertEqual(self.data(self.call("checked", body)), [1, "2", 100, "n"])

    def test_every_problem_is_told(self) -> None:
        response = self.call("checked", {"b": 2, "limit": 101, "note": 3})
        error = self.error(response, 400, "invalid_argument", "a", "b", "limit", "note")
        reasons = [detail["reason"] for detail in error["details"]]
        self.assertEqual(reasons, ["missing", "string_type", "less_than_equal", "string_type"])
        for detail in error["details"]:
            self.assertIn(f"The field {detail['path']} is ", detail["message"])

    def test_a_default_is_not_checked(self) -> None:
        self.data(self.call("checked", {"a": 1, "b": "", "note": None}))

    def test_int(self) -> None:
        for value in (0, -1, 2**63 - 1, -(2**63)):
            self.assertEqual(self.data(self.call("an_int", {"value": value})), value)
        for wrong in (True, False, "1", 1.0, 1.5, None, [1], {"a": 1}, 2**63, -(2**63) - 1, 2**64):
            with self.subTest(value=wrong):
                response = self.call("an_int", {"value": wrong})
                self.error(response, 400, "invalid_argument", "value")

    def test_float(self) -> None:
        for value in (1, 1.5, -0.0):
            self.assertEqual(self.data(self.call("a_float", {"value": value})), value)
        for wrong in (True, "1.5", None):
            self.error(self.call("a_float", {"value": wrong}), 400, "invalid_argument", "value")

    def test_id(self) -> None:
        value = str(ObjectId())
        self.assertEqual(self.data(self.call("an_id", {"value": value})), value)
        for wrong in ("zz", "", value[:-1], value + "0", 5, None, {"$oid": value}):
            self.error(self.call("an_id", {"value": wrong}), 400, "invalid_argument", "value")

    def test_union(self) -> None:
        for value in ("a", [1, 2]):
            self.assertEqual(self.data(self.call("a_union", {"value": value})), value)
        self.assertEqual(self.call("a_union", {"value": [True]}).code, 400)

    def test_model(self) -> None:
        point = {"x": 1, "at": "2026-01-02T03:04:05Z", "next": {"x": 2}}
        answer = self.data(self.call("a_model", {"value": point}))
        self.assertEqual(answer, [1, 0, "2026-01-02T03:04:05.000Z", 2])

    def test_wrong_model(self) -> None:
        wrong: list[tuple[Any, list[str]]] = [
            ({}, ["value.x"]),
            ({"x": "1"}, ["value.x"]),
            ({"x": True, "y": None}, ["value.x", "value.y"]),
            (
                {"x": 1, "next": {"x": 1, "next": {"z": 1}}},
                ["value.next.next.x", "value.next.next.z"],
            ),
            ({"x": 1, "at": "yesterday"}, ["value.at"]),
            ([1], ["value"]),
            (None, ["value"]),
        ]
        for value, paths in wrong:
            with self.subTest(value=value):
                self.error(self.call("a_model", {"value": value}), 400, "invalid_argument", *paths)

    def test_whole_body(self) -> None:
        self.assertEqual(self.data(self.call("whole", {"x": 1})), 1)
        self.error(self.call("whole", {"y": "1"}), 400, "invalid_argument", "x", "y")
        self.error(self.call("whole", b""), 400, "malformed")
        self.assertEqual(self.data(self.call("whole_dict", b"")), {})

    def test_no_value_is_sent_back(self) -> None:
        response = self.call("an_int", {"value": "a secret"})
        self.assertNotIn(b"a secret", response.body)

    def test_an_answer_is_bounded(self) -> None:
        body = {str(key): "x" for key in range(5_000)}
        response = self.call("whole_dict", body)
        self.assertEqual(response.code, 400)
        self.assertLess(len(response.body), 100 * MAX_DETAILS * 3)
        self.assertIn(b"5000 problems", response.body)


class DecoratorsTest(TestCase):
    """The record, and wrong decorators, which are refused when a module is imported."""

    def test_record(self) -> None:
        @auth
        @unpack("a", limit=20)
        @type_check(int, str)
        async def action(self: Any, a: int, limit: str) -> None:
            """Search."""

        record = record_of(action)
        self.assertEqual(action.__name__, "action")
        self.assertEqual(action.__doc__, "Search.")
        self.assertIs(record.look_up, find_session)
        self.assertEqual(record.fields, {"a": REQUIRED, "limit": 20})
        self.assertEqual(record.types, (int, str))
        self.assertEqual(repr(REQUIRED), "REQUIRED")

    def test_wrong_order(self) -> None:
        async def action(self: Any, a: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "@auth goes above @unpack"):
            unpack("a")(auth(action))

        async def other(self: Any, a: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "@type_check goes below"):
            type_check(int)(unpack("a")(other))

        async def third(self: Any, a: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "@type_check goes below"):
            type_check(int)(auth(third))

    def test_wrong_use(self) -> None:
        async def action(self: Any, a: int) -> None: ...

        def sync(self: Any, a: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "takes the names of fields"):
            unpack(action)  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "share the default of tags"):
            unpack(tags=[])
        for decorator in (auth, unpack("a"), type_check(int)):
            with self.assertRaisesRegex(TypeError, "sync can't be an action"):
                decorator(sync)  # type: ignore[arg-type]

    def test_wrong_number(self) -> None:
        async def action(self: Any, a: int, b: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "names 2 fields, @type_check 1"):
            unpack("a", "b")(type_check(int)(action))

        async def other(self: Any, a: int, b: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "passes self and a: missing a required argument"):
            unpack("a")(other)


def without_wraps(action: Any) -> Callable[[Any], Awaitable[Any]]:
    async def inner(self: Any) -> Any:
        return await action(self)

    return inner


class UnreadTest(TestCase):
    """Decorators that no dispatch would read, so that an action with a token would be public."""

    def test_hidden_by_another_decorator(self) -> None:
        @auth
        async def action(self: Any) -> None: ...

        for hidden in (without_wraps(action), without_wraps(without_wraps(action))):
            for base in (ActionHandler, RestHandler):
                with self.assertRaisesRegex(TypeError, r"inner hides the @auth.*functools.wraps"):
                    type("MadeHandler", (base,), {"get": hidden})

    def test_a_closure_without_a_record(self) -> None:
        number = 5

        async def action(self: Any) -> int:
            return number

        kind = type("MadeHandler", (ActionHandler,), {"get": without_wraps(action)})
        self.assertIsNone(record_of(cast(Any, kind).actions["get"]).look_up)

    def test_super_is_not_hidden(self) -> None:
        class Base(ActionHandler):
            async def search(self) -> None: ...

        class Sub(Base):
            @auth
            async def search(self) -> None:
                await super().search()

        self.assertIs(record_of(Sub.actions["search"]).look_up, find_session)

    def test_no_action(self) -> None:
        @auth
        async def method(self: Any) -> None: ...

        for base, name in ((ActionHandler, "_find"), (RestHandler, "head"), (JSONHandler, "get")):
            with self.assertRaisesRegex(TypeError, f"MadeHandler.{name} is no action"):
                type("MadeHandler", (base,), {name: method})

    def test_a_class_that_no_dispatch_of_ours_reads(self) -> None:
        class Mixin:
            @auth
            async def get(self) -> None: ...

        for base in (RequestHandler, RestHandler):
            kind = cast(type[RequestHandler], type("MadeHandler", (Mixin, base), {}))
            with self.assertRaisesRegex(TypeError, "Mixin.get is no action"):
                Application([("/made", kind)], Settings())

    def test_types_of_a_rest_method(self) -> None:
        @type_check(int)
        async def method(self: Any, name: str) -> None: ...

        with self.assertRaisesRegex(TypeError, "MadeHandler.get: @type_check without @unpack"):
            type("MadeHandler", (RestHandler,), {"get": method})
