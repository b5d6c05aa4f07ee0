"""`/note`: notes of all users. Every user may read and change each of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

import bench.ours.note_db as NoteDB
from bench.ours.note_db import Note
from indico.db import Id, ObjectId
from indico.error import NotFound
from indico.routes.handler import Created, IndicoHandler
from indico.utils import idempotent, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NoteHandler(IndicoHandler):
    """Notes, found by their id."""

    @read_only
    @auth
    @unpack("id")
    @type_check(Id)
    @raises(NotFound)
    async def get(self, note_id: ObjectId) -> Note:
        """Return the note."""
        return _found(await NoteDB.get(note_id))

    @not_idempotent
    @auth
    @unpack("title", "text")
    @type_check(Title, str)
    async def create(self, title: str, text: str) -> Created[Note]:
        """Add a note, and return it."""
        return await NoteDB.create(self.user_id, title, text)

    @idempotent
    @auth
    @unpack("id", "title")
    @type_check(Id, Title)
    @raises(NotFound)
    async def update(self, note_id: ObjectId, title: str) -> Note:
        """Change the title, and return the changed note."""
        return _found(await NoteDB.update(note_id, title))


def _found(note: Note | None) -> Note:
    if note is None:
        raise NotFound("There is no such note.")
    return note


NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
