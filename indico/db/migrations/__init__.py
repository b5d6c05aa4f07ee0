"""Migrations: files `0001_what_it_does.py`, each applied once, in the order of their numbers.

    from indico.db.migrations import Database, batches

    async def up(db: Database) -> None:
        async for notes in batches(db.notes, {"title": None}):
            ids = [note["_id"] for note in notes]
            await db.notes.update_many({"_id": {"$in": ids}}, {"$set": {"title": ""}})

`db` is the database of PyMongo's own async client, without timeouts. A migration may be cut off,
and then runs again: so it changes only what is not changed yet. See docs/data.md.
"""

from indico.db import IndexModel, ObjectId
from indico.engine.migrations.folder import Database
from indico.engine.migrations.iteration import batches

__all__ = ["Database", "IndexModel", "ObjectId", "batches"]
