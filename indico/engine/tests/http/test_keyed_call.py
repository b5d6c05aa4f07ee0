"""Calls with an `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from typing import Any, ClassVar

from tornado.httpclient import HTTPResponse
from tornado.testing import gen_test

from ...error import (
    APIError,
    CallInProgress,
    Conflict,
    Contended,
    NotFound,
    RateLimited,
    Unavailable,
)
from ...http.action_handler import ActionHandler
from ...http.answer import Created
from ...http.application import Application
from ...http.batch import BatchRoute
from ...http.decorators import unpack
from ...http.default_headers import HeldAnswer
from ...http.effects import idempotent, keyless, read_only
from ...http.kept_answers import KEPT, MAX_BYTES, KeptAnswers, Taken
from ...http.rest_handler import RestHandler
from ...mongo.clock import now
from ...mongo.collection import Collection
from ...mongo.driver import Document, ObjectId, mongodb
from ...mongo.transactions import in_transaction, transaction
from ..mongo.fail_point_test import FailPointTest
from ..sample.accounts import auth
from ..sample.app import AuthHandler
from ..server_test import ServerTest

# KEYED_CALLS=1000 in the environment takes so many keys, each with 50 callers at the same time.
MANY = int(os.environ.get("KEYED_CALLS", "0"))
KEYS, CALLERS = (MANY, 50) if MANY else (3, 10)

NOTES = Collection("keyed_notes", Document)
Collection.declared.remove(NOTES)
ERRORS: dict[str, type[APIError]] = {
    kind.__name__: kind for kind in (Conflict, Contended, NotFound, RateLimited, Unavailable)
}


class NoteHandler(ActionHandler):
    started: ClassVar[asyncio.Event]
    ended: ClassVar[asyncio.Event]

    @unpack("text", size=0)
    @transaction
    async def add(self, text: str, size: int) -> Created[str]:
        await NOTES.insert({"text": text})
        self.set_header("X-Note", text)
        return "x" * size

    @auth
    @idempotent
    async def add_mine(self, body: dict[str, Any]) -> dict[str, Any]:
        await NOTES.insert({"user_id": self.user_id})
        return body

    @unpack("error")
    async def fail(self, error: str) -> None:
        await NOTES.insert({"text": error})
        raise ERRORS[error]() if error in ERRORS else KeyError(error)

    async def wait(self) -> str:
        await NOTES.insert({})
        self.started.set()
        await self.ended.wait()
        return "waited"

    @read_only
    async def count(self) -> int:
        return len(await NOTES.find({}))

    @keyless
    async def add_each_time(self) -> None:
        await NOTES.insert({})

    async def answer_by_itself(self) -> None:
        await NOTES.insert({})
        self.set_status(202)
        self.write("a note, ")
        self.finish("in a text")

    async def answer_in_pieces(self) -> None:
        await NOTES.insert({})
        self.write("a piece")
        await self.flush()


class NotesHandler(RestHandler):
    async def post(self) -> Created[None]:
        if "text" not in self.body:
            raise NotFound
        note_id = ObjectId()
        await NOTES.insert({"_id": note_id, "text": self.body["text"]})
        self.set_header("Location", f"/notes/{note_id}")

    async def delete(self) -> None:
        await NOTES.delete({})

    @read_only
    async def get(self) -> int:
        return len(await NOTES.find({}))


class KeyedTest(ServerTest):
    indexed = (KEPT,)

    def setUp(self) -> None:
        super().setUp()
        NoteHandler.started, NoteHandler.ended = asyncio.Event(), asyncio.Event()

    def make_app(self, settings: Any) -> Application:
        routes = [
            (r"/note/(?P<action>[a-z_]+)", NoteHandler),
            (r"/auth/(?P<action>[a-z_]+)", AuthHandler),
            (r"/notes", NotesHandler),
            BatchRoute,
        ]
        return Application(routes, settings)

    def call(self, path: str, body: Any = None, key: str = "k", **kwargs: Any) -> HTTPResponse:
        return self.post(path, body, Idempotency_Key=key, **kwargs)

    def add(self, text: str = "a", key: str = "k", **body: Any) -> HTTPResponse:
        return self.call("/note/add", {"text": text, **body}, key)

    def count(self) -> int:
        return len(self.run_async(NOTES.find({})))

    def replayed(self, first: HTTPResponse, second: HTTPResponse) -> None:
        """Check that the second answer is that of the first call."""
        self.assertNotIn("Idempotent-Replayed", first.headers)
        self.assertEqual(second.headers["Idempotent-Replayed"], "true")
        self.assertEqual((first.code, first.reason), (second.code, second.reason))
        own = {"Date", "X-Request-Id", "Idempotent-Replayed"}
        kept = [{n: v for n, v in r.headers.items() if n not in own} for r in (first, second)]
        if first.code < 400:
            self.assertEqual(first.body, second.body)
            self.assertEqual(*kept)
        self.assertNotEqual(first.headers["X-Request-Id"], second.headers["X-Request-Id"])


class AnswerTest(KeyedTest):
    def test_valid(self) -> None:
        first, second = self.add(size=9), self.add(size=9)
        self.assertEqual(self.data(first, 201), "x" * 9)
        self.replayed(first, second)
        self.assertEqual(second.headers["X-Note"], "a")
        self.assertEqual(self.count(), 1)

    def test_without_a_key(self) -> None:
        for _ in range(2):
            self.assertNotIn("Idempotent-Replayed", self.post("/note/add", {"text": "a"}).headers)
        self.assertEqual((self.count(), self.stored("idempotency_keys")), (2, []))

    def test_other_keys(self) -> None:
        for key in ("k", "K", "k ~!", "x" * 255):
            self.data(self.add(key=key), 201)
        self.assertEqual(self.count(), 4)

    def test_wrong_keys(self) -> None:
        for key in ("", "x" * 256, "\u00e9", "a\tb"):
            response = self.add(key=key)
            self.error(response, 400, "invalid_argument", "Idempotency-Key")
            self.assertIn("1 to 255 printable ASCII", json.loads(response.body)["data"])
        self.assertEqual(self.count(), 0)

    def test_another_call(self) -> None:
        self.data(self.add(), 201)
        for other in (self.add("b"), self.call("/note/fail", {"error": "a"})):
            error = self.error(other, 422, "idempotency_key_reused")
            self.assertFalse(error["retryable"])
        self.assertEqual(self.count(), 1)

    def test_read_only(self) -> None:
        self.assertEqual(self.data(self.call("/note/count")), 0)
        self.add("b", "other")
        self.assertEqual(self.data(self.call("/note/count")), 1)

    def test_keyless(self) -> None:
        for count in (1, 2):
            answer = self.call("/note/add_each_time")
            self.assertEqual((self.data(answer), self.count()), (None, count))
            self.assertNotIn("Idempotent-Replayed", answer.headers)

    def test_users_are_apart(self) -> None:
        tokens = [self.register(f"{name}@example.com")["token"] for name in ("ada", "eve")]
        for token in tokens * 2:
            self.data(self.call("/note/add_mine", token=token))
        self.assertEqual(len(self.stored("keyed_notes")), 2)
        kept = self.stored("idempotency_keys")
        self.assertEqual(
            {document["user_id"] for document in kept},
            {document["user_id"] for document in self.stored("keyed_notes")},
        )

    def test_an_answer_of_its_own(self) -> None:
        first, second = (self.call("/note/answer_by_itself") for _ in range(2))
        self.assertEqual((first.code, first.body), (202, b"a note, in a text"))
        self.replayed(first, second)
        self.assertEqual(self.count(), 1)

    def test_an_answer_in_pieces(self) -> None:
        self.error(self.call("/note/answer_in_pieces"), 500, "internal")
        self.assertEqual(self.count(), 0)

    def test_a_large_answer(self) -> None:
        """The first caller gets it, and the others learn that the call was made."""
        self.assertEqual(len(self.data(self.add(size=MAX_BYTES), 201)), MAX_BYTES)
        again = self.add(size=MAX_BYTES)
        self.error(again, 409, "conflict")
        self.assertRegex(json.loads(again.body)["data"], "made once.* too large to be kept: read")
        self.error(self.add(size=1), 422, "idempotency_key_reused")
        self.assertEqual(self.count(), 1)

    def test_a_copy_of_the_database_tells_nothing(self) -> None:
        """The answer may hold a token, and the body a password."""
        body = {"email": "ada@example.com", "password": "correct horse"}
        self.add("a secret text")
        first, second = (self.call("/auth/register", body, "other") for _ in range(2))
        self.replayed(first, second)
        token = self.data(second, 201)["token"]
        kept = repr(self.stored("idempotency_keys"))
        for secret in (token, "horse", "ada@", "secret"):
            self.assertNotIn(secret, kept)

    @gen_test
    async def test_its_day_has_just_ended(self) -> None:
        kept = KeptAnswers("k", None, "127.0.0.1", self.config.secret_key)
        with self.assertRaises(CallInProgress):
            await kept.find(b"")

    def test_it_is_kept_for_a_day(self) -> None:
        self.add()
        indexes = self.run_async(mongodb[KEPT.name].index_information())
        self.assertEqual(indexes["created_at_1"]["expireAfterSeconds"], 86400)
        (kept,) = self.stored(KEPT.name)
        self.assertLess(now() - kept["created_at"], timedelta(minutes=1))


class ErrorTest(KeyedTest):
    def failing(self, error: str) -> HTTPResponse:
        return self.call("/note/fail", {"error": error}, error)

    def test_kept(self) -> None:
        for name, status, code in (("NotFound", 404, "not_found"), ("Conflict", 409, "conflict")):
            first, second = self.failing(name), self.failing(name)
            self.error(first, status, code)
            self.error(second, status, code)
            self.replayed(first, second)
        self.assertEqual(self.count(), 0)
        other = self.call("/note/fail", {"error": "a"}, "Conflict")
        self.error(other, 422, "idempotency_key_reused")

    def test_not_kept(self) -> None:
        for name, status in (
            ("KeyError", 500),
            ("Unavailable", 503),
            ("RateLimited", 429),
            ("Contended", 409),
        ):
            for _ in range(2):
                response = self.failing(name)
                self.assertEqual(response.code, status)
                self.assertNotIn("Idempotent-Replayed", response.headers)
        self.assertEqual((self.count(), self.stored(KEPT.name)), (0, []))

    def test_the_request_itself(self) -> None:
        for path, body, status in (
            ("/note/add", b"{", 400),
            ("/note/add", {"txt": 1}, 400),
            ("/note/add_mine", {}, 401),
            ("/note/nothing", {}, 404),
        ):
            for _ in range(2):
                response = self.call(path, body)
                self.assertEqual(response.code, status)
                self.assertNotIn("Idempotent-Replayed", response.headers)
        self.data(self.add(), 201)

    def test_it_may_be_sent_again(self) -> None:
        """Only a key makes it safe to send a call again whose outcome is not known."""
        error = self.error(self.failing("Unavailable"), 503, "unavailable")
        self.assertTrue(error["retryable"])
        bare = self.post("/note/fail", {"error": "Unavailable"})
        self.assertFalse(self.error(bare, 503, "unavailable")["retryable"])


class RestTest(KeyedTest):
    def send(self, method: str, body: str | None = None) -> HTTPResponse:
        headers = {"Idempotency-Key": method}
        return self.fetch("/notes", method=method, body=body, headers=headers)

    def test_post(self) -> None:
        first, second = (self.send("POST", '{"text": "a"}') for _ in range(2))
        self.assertEqual((first.code, first.body), (201, b""))
        self.assertTrue(first.headers["Location"].startswith("/notes/"))
        self.replayed(first, second)
        self.assertEqual(self.send("GET").body, b"1")
        self.assertEqual(self.send("GET").code, 200)

    def test_delete(self) -> None:
        first = self.send("DELETE")
        self.assertEqual(first.code, 204)
        self.send("POST", '{"text": "a"}')
        self.replayed(first, self.send("DELETE"))
        self.assertEqual(self.send("GET").body, b"1")

    def test_kept_error(self) -> None:
        note = self.fetch("/notes", method="POST", body='{"text": "a"}').headers["Location"]
        text = json.dumps({"_id": note})
        first, second = (self.send("POST", text) for _ in range(2))
        self.assertEqual((first.code, json.loads(first.body)["error"]["code"]), (404, "not_found"))
        self.replayed(first, second)
        self.assertEqual(
            json.loads(second.body)["error"]["request_id"], second.headers["X-Request-Id"]
        )


class AtTheSameTimeTest(KeyedTest):
    async def send(self, path: str, body: Any = None, key: str = "k") -> HTTPResponse:
        return await self.http_client.fetch(
            self.get_url(path),
            method="POST",
            body=json.dumps(body or {}),
            headers={"Idempotency-Key": key},
            raise_error=False,
            connect_timeout=60,  # also the time to wait for one of the client's connections
            request_timeout=60,
        )

    @gen_test
    async def test_under_way(self) -> None:
        first = asyncio.ensure_future(self.send("/note/wait"))
        await NoteHandler.started.wait()
        second = await self.send("/note/wait")
        error = self.error(second, 409, "conflict")
        self.assertIn("is under way", json.loads(second.body)["data"])
        self.assertEqual((second.headers["Retry-After"], error["retry_after"]), ("1", 1))
        self.assertTrue(error["retryable"])
        NoteHandler.ended.set()
        self.replayed(await first, await self.send("/note/wait"))
        self.assertEqual(len(await NOTES.find({})), 1)

    @gen_test
    async def test_its_client_leaves(self) -> None:
        """The call goes on, and the client gets the answer with its next try."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        head = "POST /note/wait HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nContent-Length: 2"
        writer.write(f"{head}\r\n\r\n{{}}".encode())
        await NoteHandler.started.wait()
        writer.close()
        await reader.read()
        NoteHandler.ended.set()
        while (again := await self.send("/note/wait")).code == 409:
            await asyncio.sleep(0.001)
        self.assertEqual(self.data(again), "waited")
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")
        self.assertEqual(len(await NOTES.find({})), 1)

    @gen_test
    async def test_the_deadline(self) -> None:
        """A call that took too long has changed nothing."""
        response = await self.http_client.fetch(
            self.get_url("/note/wait"),
            method="POST",
            body="{}",
            headers={"Idempotency-Key": "k", "Connect-Timeout-Ms": "300"},
            raise_error=False,
        )
        self.assertTrue(self.error(response, 504, "deadline_exceeded")["retryable"])
        NoteHandler.ended.set()
        while (again := await self.send("/note/wait")).code == 409:
            await asyncio.sleep(0.001)
        self.data(again)
        self.assertEqual(len(await NOTES.find({})), 1)

    @gen_test(timeout=60 + MANY)
    async def test_many_callers_of_each_key(self) -> None:
        """Each key makes one document."""

        async def answered(key: str) -> str:
            """Return whether the answer is replayed, once there is one."""
            while (answer := await self.send("/note/add", {"text": key}, key)).code in (409, 503):
                await asyncio.sleep(0.01)
            self.assertEqual(answer.code, 201)
            return answer.headers.get("Idempotent-Replayed", "false")

        for n in range(KEYS):
            made = await asyncio.gather(*(answered(str(n)) for _ in range(CALLERS)))
            self.assertEqual(sorted(made), ["false", *["true"] * (CALLERS - 1)])
        self.assertEqual(len(await NOTES.find({})), KEYS)


class KeepTest(KeyedTest):
    @gen_test
    async def test_two_errors_at_the_same_time(self) -> None:
        """The first one that is kept is the answer to both calls."""
        kept = KeptAnswers("k", None, "127.0.0.1", self.config.secret_key)
        answer = HeldAnswer(404, "Not Found", [("A", "b")], b"{}")
        await kept.keep_alone(b"call", answer)
        with self.assertRaises(Taken):
            await kept.keep_alone(b"call", answer._replace(status=409))
        self.assertEqual(await kept.find(b"call"), answer)


class FaultTest(FailPointTest):
    """A transient error of MongoDB is no sign of another call."""

    @gen_test
    async def test_another_error_of_the_record(self) -> None:
        kept = KeptAnswers("k", None, "127.0.0.1", self.config.secret_key)
        error = {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}
        async with self.failing("insert", mode={"times": 1}, **error):
            await in_transaction(lambda: kept.claim(b"call"))
        with self.assertRaises(Taken):
            await in_transaction(lambda: kept.claim(b"call"))


class BatchTest(KeyedTest):
    def test_each_call_has_a_key_of_its_own(self) -> None:
        calls = [{"action": "note/add", "body": {"text": text}} for text in ("a", "a", "")]
        first, second = (self.data(self.call("/batch", {"calls": calls})) for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(self.count(), 3)
        self.data(self.call("/batch", {"calls": calls[:1]}, "other"))
        self.assertEqual(self.count(), 4)


class OnPyMongoTest(AtTheSameTimeTest):
    varies_with = ()
    settings: ClassVar[dict[str, Any]] = {"mongodb_driver": "pymongo"}
