"""Answers are as their return annotations declare, where they are checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from unittest import TestCase

from pydantic import BaseModel
from tornado.httpclient import HTTPResponse
from typing_extensions import TypedDict

from ...http.action_handler import ActionHandler
from ...http.answer import Answer, Created, Status, Undeclared, answer_of
from ...http.application import Application
from ...http.rest_handler import RestHandler
from ...log import LOGGER
from ...mongo.driver import ObjectId
from ...mongo.transactions import transaction
from ..server_test import ServerTest

if TYPE_CHECKING:
    Late = int


class Part(BaseModel):
    count: int


class Note(TypedDict):
    id: ObjectId
    at: datetime
    price: Decimal
    parts: list[Part]


RIGHT: Any = {"id": ObjectId(), "at": datetime.now(UTC), "price": Decimal(1), "parts": []}


class NoteHandler(ActionHandler):
    """Actions that answer what they are told to."""

    answer: Any = None

    async def get(self) -> Note:  # type: ignore[override]
        found: Note = self.answer
        return found

    async def create(self) -> Created[int]:
        return 1

    async def accept(self) -> Annotated[None, Status(202)]:
        return None

    async def responds(self) -> int:
        self.respond(1)
        return 2

    async def responds_otherwise(self) -> int:
        self.respond(1, code=201)
        return 2

    async def undeclared(self):  # type: ignore[no-untyped-def]
        return 1

    async def anything(self) -> Any:
        return 1


class RestNoteHandler(RestHandler):
    """Methods by REST; the answers of `get` and `put` are wrong."""

    async def get(self) -> str:  # type: ignore[override]
        return 5  # type: ignore[return-value]

    async def put(self) -> None:
        self.respond("text")

    async def post(self) -> Created[None]:
        return None

    async def patch(self) -> int | None:  # type: ignore[override]
        return None


class AnswerTest(ServerTest):
    checks_answers = True

    def get_app(self) -> Application:
        app = super().get_app()
        app.checks_answers = self.checks_answers
        routes = [(r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler), ("/notes", RestNoteHandler)]
        app.add_handlers(".*", routes)
        return app

    def get_note(self, **changes: Any) -> HTTPResponse:
        NoteHandler.answer = RIGHT | changes
        return self.post("/note/get")


class CheckTest(AnswerTest):
    def refused(self, call: Callable[[], HTTPResponse], *words: str) -> None:
        with self.assertLogs(LOGGER, "CRITICAL") as logs:
            response = call()
        self.assertEqual(response.code, 500)
        for word in words:
            self.assertIn(word, logs.output[0])
            self.assertNotIn(word, response.body.decode())

    def test_valid(self) -> None:
        self.assertEqual(self.data(self.get_note())["price"], "1")
        self.data(self.get_note(parts=[Part(count=1)]))

    def test_wrong_field(self) -> None:
        wrong: list[tuple[str, Any]] = [
            ("id", "65f2a1c04b3d9e0012345678"),
            ("at", "2026-01-31"),
            ("price", "1"),
            ("parts", [{"count": "1"}]),
            ("parts", (Part(count=1),)),
            ("parts", None),
        ]
        for name, value in wrong:
            self.refused(partial(self.get_note, **{name: value}), f"data.{name}")
        self.refused(lambda: self.get_note(parts=[{"count": 1}, {}]), "data.parts.1.count")

    def test_missing_and_unknown_field(self) -> None:
        self.refused(lambda: self.get_note(password_hash="x"), "data.password_hash")
        NoteHandler.answer = {k: v for k, v in RIGHT.items() if k != "at"}
        self.refused(lambda: self.post("/note/get"), "data.at", "NoteHandler.get")

    def test_status(self) -> None:
        self.assertEqual(self.data(self.post("/note/create"), 201), 1)
        self.assertIsNone(self.data(self.post("/note/accept"), 202))
        self.assertEqual(self.data(self.post("/note/responds")), 1)
        self.refused(lambda: self.post("/note/responds_otherwise"), "status 201 instead of 200")

    def test_without_a_type(self) -> None:
        for path in ("/note/undeclared", "/note/anything"):
            self.assertEqual(self.data(self.post(path)), 1)

    def test_rest(self) -> None:
        self.refused(lambda: self.fetch("/notes"), "RestNoteHandler.get", "data")
        self.refused(lambda: self.fetch("/notes", method="HEAD"), "RestNoteHandler.get")
        self.refused(lambda: self.fetch("/notes", method="PUT", body="{}"), "data")
        self.assertEqual(self.fetch("/notes", method="POST", body="{}").code, 201)
        self.assertEqual(self.fetch("/notes", method="PATCH", body="{}").code, 204)
        options = self.fetch("/notes", method="OPTIONS")
        self.assertEqual((options.code, options.body), (204, b""))


class UncheckedTest(AnswerTest):
    """An app without `debug`: an answer goes out as it is."""

    checks_answers = False

    def test_wrong_field(self) -> None:
        self.assertEqual(self.data(self.get_note(at="never"))["at"], "never")
        self.assertEqual(self.fetch("/notes").body, b"5")


class DebugTest(ServerTest):
    def test_debug_checks(self) -> None:
        for debug in (True, False):
            app = self.make_app(self.make_settings(debug=debug))
            self.assertIs(app.checks_answers, debug)


class DeclarationTest(TestCase):
    def test_a_name_for_type_checkers_only(self) -> None:
        async def action(self: Any) -> Late:
            return 1

        self.assertEqual(answer_of(action), Answer(Undeclared))

    def test_an_action_that_is_a_transaction(self) -> None:
        @transaction
        async def create() -> Note:
            raise NotImplementedError

        self.assertEqual(answer_of(create), Answer(Note))
