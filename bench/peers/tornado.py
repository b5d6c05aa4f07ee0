"""Plain Tornado and Motor, like the boilerplate of 2015: one operation a call."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient
from tornado.escape import json_decode
from tornado.web import Application, HTTPError, RequestHandler

from bench.peers.notes import Notes
from bench.peers.options import OPTIONS

ID = re.compile("[0-9a-fA-F]{24}")


class BaseHandler(RequestHandler):
    @property
    def notes(self) -> Notes:
        return self.settings["notes"]

    async def authenticate(self) -> ObjectId:
        user_id = await self.notes.user_id(self.request.headers.get("Authorization"))
        if user_id is None:
            raise HTTPError(401)
        return user_id

    def body(self) -> dict[str, Any]:
        try:
            body = json_decode(self.request.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise HTTPError(400)
        return body

    def check(self, valid: bool) -> None:
        if not valid:
            raise HTTPError(400)

    def answer(self, data: Any, status: int = 200) -> None:
        self.set_status(status)
        self.write({"status": status, "data": data})

    def answer_note(self, note: dict[str, Any] | None, status: int = 200) -> None:
        if note is None:
            raise HTTPError(404)
        self.answer({**note, "created_at": note["created_at"].isoformat()}, status)


class EchoHandler(BaseHandler):
    def post(self) -> None:
        self.answer(self.body())


class GetHandler(BaseHandler):
    async def post(self) -> None:
        await self.authenticate()
        note_id = self.body().get("id")
        self.check(is_id(note_id))
        self.answer_note(await self.notes.get(note_id))


class CreateHandler(BaseHandler):
    async def post(self) -> None:
        user_id = await self.authenticate()
        body = self.body()
        title, text = body.get("title"), body.get("text")
        self.check(is_title(title) and isinstance(text, str))
        self.answer_note(await self.notes.create(user_id, title, text), 201)


class UpdateHandler(BaseHandler):
    async def post(self) -> None:
        await self.authenticate()
        body = self.body()
        note_id, title = body.get("id"), body.get("title")
        self.check(is_id(note_id) and is_title(title))
        self.answer_note(await self.notes.update(note_id, title))


def is_id(value: Any) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_title(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 200


async def main() -> None:
    notes = Notes(AsyncIOMotorClient(OPTIONS.mongodb_uri, tz_aware=True))
    app = Application(
        [
            ("/system/echo", EchoHandler),
            ("/note/get", GetHandler),
            ("/note/create", CreateHandler),
            ("/note/update", UpdateHandler),
        ],
        notes=notes,
    )
    app.listen(OPTIONS.port, "127.0.0.1")
    await asyncio.Event().wait()


logging.getLogger("tornado.access").disabled = True
asyncio.run(main())
