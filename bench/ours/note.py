"""`/note`: notes that every user may read and change."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

import bench.ours.note_db as NoteDB
from indico.db import Id, ObjectId
from indico.engine.error import NotFound
from indico.routes.handler import IndicoHandler
from indico.utils import type_check, unpack
from indico.utils.auth.auth_utils import auth

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NoteHandler(IndicoHandler):
    """Notes, by their id."""

    @auth
    @unpack("id")
    @type_check(Id)
    async def get(self, note_id: ObjectId) -> dict[str, Any]:
        """The note."""
        return _found(await NoteDB.get(note_id))

    @auth
    @unpack("title", "text")
    @type_check(Title, str)
    async def create(self, title: str, text: str) -> None:
        """The new note."""
        self.respond(await NoteDB.create(self.user_id, title, text), code=201)

    @auth
    @unpack("id", "title")
    @type_check(Id, Title)
    async def update(self, note_id: ObjectId, title: str) -> dict[str, Any]:
        """The note after the change."""
        return _found(await NoteDB.update(note_id, title))


def _found(note: dict[str, Any] | None) -> dict[str, Any]:
    if note is None:
        raise NotFound("There is no such note.")
    return note


NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
