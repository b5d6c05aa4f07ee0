"""`/note`: notes of all users. Every user may read and change each of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

import bench.ours.note_db as NoteDB
from indico.db import Id, ObjectId
from indico.error import NotFound
from indico.routes.handler import IndicoHandler
from indico.utils import type_check, unpack
from indico.utils.auth.auth_utils import auth

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NoteHandler(IndicoHandler):
    """Notes, found by their id."""

    @auth
    @unpack("id")
    @type_check(Id)
    async def get(self, note_id: ObjectId) -> dict[str, Any]:
        """Return the note."""
        return _found(await NoteDB.get(note_id))

    @auth
    @unpack("title", "text")
    @type_check(Title, str)
    async def create(self, title: str, text: str) -> None:
        """Add a note, and return it."""
        self.respond(await NoteDB.create(self.user_id, title, text), code=201)

    @auth
    @unpack("id", "title")
    @type_check(Id, Title)
    async def update(self, note_id: ObjectId, title: str) -> dict[str, Any]:
        """Change the title, and return the changed note."""
        return _found(await NoteDB.update(note_id, title))


def _found(note: dict[str, Any] | None) -> dict[str, Any]:
    if note is None:
        raise NotFound("There is no such note.")
    return note


NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
