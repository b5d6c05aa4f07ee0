"""Documents that belong to a user, in every collection that is declared with `owner`."""

from __future__ import annotations

from indico.db import Collection, ObjectId

_DELETED_AT_ONCE = 2_000


async def delete_owned(user_id: ObjectId) -> None:
    """Delete all documents of a user, in pieces, because one operation would time out."""
    for collection in Collection.declared:
        if collection.owner:
            query = {collection.owner: user_id}
            while ids := await collection.find_ids(query, _DELETED_AT_ONCE):
                await collection.delete({"_id": {"$in": ids}})
