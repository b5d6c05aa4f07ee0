"""Notes: every query on the collection `notes`."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, now


class NoteDocument(TypedDict):
    _id: ObjectId
    user_id: ObjectId
    title: str
    text: str
    created_at: datetime


NOTES = Collection("notes", NoteDocument, IndexModel("user_id"))


class Note(TypedDict):
    """A note, as every user sees it."""

    id: ObjectId
    title: str
    text: str
    created_at: datetime


async def get(note_id: ObjectId) -> Note | None:
    document = await NOTES.find_by_id(note_id)
    return _note(document) if document else None


async def create(user_id: ObjectId, title: str, text: str) -> Note:
    document: NoteDocument = {
        "_id": ObjectId(),
        "user_id": user_id,
        "title": title,
        "text": text,
        "created_at": now(),
    }
    await NOTES.insert(document)
    return _note(document)


async def update(note_id: ObjectId, title: str) -> Note | None:
    document = await NOTES.update_by_id(note_id, {"title": title})
    return _note(document) if document else None


def _note(document: NoteDocument) -> Note:
    return Note(
        id=document["_id"],
        title=document["title"],
        text=document["text"],
        created_at=document["created_at"],
    )
