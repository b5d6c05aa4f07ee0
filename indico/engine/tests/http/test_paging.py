"""Pages of a list, answered by an action and by a REST resource with the same helper."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.cursor import DEFAULT_LIMIT, Cursor, Limit
from ...http.decorators import type_check, unpack
from ...http.paging import Page
from ...http.rest_handler import RestHandler
from ...mongo.collection import Collection, Document
from ...mongo.paging import Position, find_page
from ..sample.accounts import auth
from ..server_test import ServerTest

LIST = Collection("sample_list", Document)


async def find(kind: str, limit: int, after: Position | None) -> tuple[list[Any], Position | None]:
    found, end = await find_page(LIST, {"kind": kind}, limit=limit, after=after)
    return [document["number"] for document in found], end


class ListHandler(ActionHandler):
    @unpack("kind", limit=DEFAULT_LIMIT, cursor=None)
    @type_check(str, Limit, Cursor)
    async def find(self, kind: str, limit: int, cursor: str | None) -> Page[int]:
        return await self.page(partial(find, kind), limit, cursor, kind)

    @auth
    @unpack(limit=DEFAULT_LIMIT, cursor=None)
    @type_check(Limit, Cursor)
    async def mine(self, limit: int, cursor: str | None) -> Page[int]:
        return await self.page(partial(find, "a"), limit, cursor)


class ListResource(RestHandler):
    async def get(self, kind: str) -> Page[int]:  # type: ignore[override]
        cursor = self.get_query_argument("cursor", None)
        return await self.page(partial(find, kind), 2, cursor)


class PageTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        resource = (r"/lists/([a-z]+)/?", ListResource)
        app.add_handlers(".*", [(r"/list/(?P<action>[a-z]+)", ListHandler), resource])
        return app

    def setUp(self) -> None:
        super().setUp()
        for number in range(5):
            for kind in "ab":
                self.run_async(LIST.insert({"kind": kind, "number": number}))

    def action(self, cursor: str | None, kind: str = "a") -> Any:
        body = {"kind": kind, "limit": 2, "cursor": cursor}
        return self.data(self.post("/list/find", body))

    def rest(self, cursor: str | None, path: str = "/lists/a") -> Any:
        response = self.fetch(path + (f"?cursor={cursor}" if cursor else ""))
        self.assertEqual(response.code, 200, response.body)
        return json.loads(response.body)

    def test_pages(self) -> None:
        for ask in (self.action, self.rest):
            cursor, pages = None, list[Any]()
            while not pages or cursor:
                page = ask(cursor)
                self.assertEqual(set(page), {"items", "next_cursor"})
                pages.append(page["items"])
                cursor = page["next_cursor"]
            self.assertEqual(pages, [[0, 1], [2, 3], [4]])

    def test_a_slash_at_the_end_is_the_same_list(self) -> None:
        cursor = self.rest(None)["next_cursor"]
        self.assertEqual(self.rest(cursor, "/lists/a/")["items"], [2, 3])

    def test_cursor_of_another_list(self) -> None:
        of_action, of_rest = self.action(None)["next_cursor"], self.rest(None)["next_cursor"]
        for cursor, kind in ((of_action, "b"), (of_rest, "a")):
            response = self.post("/list/find", {"kind": kind, "cursor": cursor})
            self.error(response, 400, "invalid_argument", "cursor")
        self.assertEqual(self.fetch(f"/lists/b?cursor={of_rest}").code, 400)

    def test_cursor_of_another_user(self) -> None:
        ada, eve = (self.register(email)["token"] for email in ("ada@a.test", "eve@a.test"))
        cursor = self.data(self.post("/list/mine", {"limit": 2}, ada))["next_cursor"]
        body = {"cursor": cursor}
        self.assertEqual(self.data(self.post("/list/mine", body, ada))["items"], [2, 3, 4])
        self.error(self.post("/list/mine", body, eve), 400, "invalid_argument", "cursor")
