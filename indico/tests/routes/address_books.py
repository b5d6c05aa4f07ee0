"""Address books by REST and by actions, and the base of their tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from tornado.httpclient import HTTPResponse

from indico import db
from indico.tests.routes.address_judge import MAX_BODY_BYTES, Judgement, exact, judge
from indico.tests.server_test import ServerTest


@dataclass(frozen=True)
class Answer:
    """Answer of a book; `error` has code, message and details."""

    status: int
    id: str = ""
    version: str = ""
    entry: Any = None
    error: tuple[Any, ...] = ()

    @property
    def done(self) -> bool:
        return self.status in (200, 201, 204)


class PublicBook:
    """Book that everybody may change, by REST."""

    def __init__(self, test: ServerTest) -> None:
        self.fetch = test.fetch

    def judge(self, entry: bytes) -> Judgement:
        return judge(entry)

    def create(self, entry: bytes) -> Answer:
        return self._answer(self.fetch("/addresses", method="POST", body=entry))

    def get(self, address_id: str) -> Answer:
        return self._answer(self.fetch(f"/addresses/{address_id}"), address_id)

    def put(self, address_id: str, entry: bytes, version: str | None = None) -> Answer:
        return self._send("PUT", address_id, version, entry)

    def patch(self, address_id: str, patch: bytes, version: str | None = None) -> Answer:
        return self._send("PATCH", address_id, version, patch)

    def delete(self, address_id: str, version: str | None = None) -> Answer:
        return self._send("DELETE", address_id, version)

    def page(self, limit: int, cursor: str | None, query: str | None) -> tuple[int, Any]:
        """Return status and body; this book has no `query`."""
        after = "" if cursor is None else f"&cursor={cursor}"
        response = self.fetch(f"/addresses?limit={limit}{after}")
        return response.code, json.loads(response.body)

    def _send(
        self, method: str, address_id: str, version: str | None, body: bytes | None = None
    ) -> Answer:
        headers = {} if version is None else {"If-Match": version}
        url = f"/addresses/{address_id}"
        response = self.fetch(url, method=method, body=body, headers=headers)
        return self._answer(response, address_id)

    def _answer(self, response: HTTPResponse, address_id: str = "") -> Answer:
        body = json.loads(response.body or "null")
        if response.code >= 400:
            return Answer(response.code, error=_error(body, body["message"]))
        address_id = address_id or response.headers["Location"].removeprefix("/addresses/")
        version = response.headers.get("ETag", "").strip('"')
        return Answer(response.code, address_id, version, body)


class OwnBook:
    """Book of one user, by actions and with a token."""

    def __init__(self, test: ServerTest, token: str) -> None:
        self.post = test.post
        self.token = token

    def judge(self, entry: bytes) -> Judgement:
        return judge(b'{"entry":%b}' % entry, "entry")

    def create(self, entry: bytes) -> Answer:
        return self._act("create", b'{"entry":%b}' % entry)

    def get(self, address_id: str) -> Answer:
        return self._act("get", _fields(address_id))

    def put(self, address_id: str, entry: bytes, version: str | None = None) -> Answer:
        fields = _fields(address_id, version)[:-1]
        return self._act("update", b'%b,"entry":%b}' % (fields, entry))

    def delete(self, address_id: str, version: str | None = None) -> Answer:
        return self._act("delete", _fields(address_id, version))

    def page(self, limit: int, cursor: str | None, query: str | None) -> tuple[int, Any]:
        fields = {"limit": limit, "cursor": cursor, "query": query}
        sent = {name: value for name, value in fields.items() if value is not None}
        response = self.post("/address/list", sent, self.token)
        return response.code, json.loads(response.body)["data"]

    def _act(self, action: str, body: bytes) -> Answer:
        response = self.post(f"/address/{action}", body, self.token)
        envelope = json.loads(response.body)
        if response.code >= 400:
            return Answer(response.code, error=_error(envelope, envelope["data"]))
        return Answer(response.code, **envelope["data"] or {})


def _fields(address_id: str, version: str | None = None) -> bytes:
    fields = {"id": address_id} if version is None else {"id": address_id, "version": version}
    return json.dumps(fields).encode()


def _error(body: Any, message: str) -> tuple[Any, ...]:
    return body["error"]["code"], message, body["error"]["details"]


Book = PublicBook | OwnBook


class BooksTest(ServerTest):
    """A public book, and the books of two users."""

    settings: ClassVar[dict[str, Any]] = {"max_body_bytes": MAX_BODY_BYTES}

    def setUp(self) -> None:
        super().setUp()
        self.public = PublicBook(self)
        self.ada = OwnBook(self, self.register()["token"])
        self.eve = OwnBook(self, self.register("eve@example.com")["token"])

    def count(self) -> int:
        count: int = self.run_async(db.mongodb.addresses.count_documents({}))
        return count

    def empty(self) -> None:
        self.run_async(db.mongodb.addresses.delete_many({}))

    def assert_same(self, value: Any, expected: Any) -> None:
        self.assertEqual(exact(value), exact(expected))
