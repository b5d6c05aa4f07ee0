"""The public address book's version: every query on the collection `public_book`.

The version is spread over a few documents, each with a `version` of its own. A change of the book
replaces one of these. So changes at the same time need not wait for one another, as MongoDB's
transactions do that write the same document.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from indico.db import Collection, mongodb, transaction, turn

PUBLIC_BOOK = Collection("public_book")

_DOCUMENTS = 16
_unused = list(range(_DOCUMENTS))  # the `_id` of each document that no change holds


async def version() -> str:
    """Return the version, a new one after each change."""
    found = await PUBLIC_BOOK.find({}, sort=[("_id", 1)])
    text = "".join(document["version"] for document in found)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def change(work: Callable[[Any], Awaitable[Any]]) -> bool:
    """Change the book and its version together; return False if `work` changes nothing.

    `work` gets the session of a transaction, and returns a false value if nothing matched.
    """
    async with turn(PUBLIC_BOOK.name, places=_DOCUMENTS):
        document_id = _unused.pop()

        async def both(session: Any) -> bool:
            if not await work(session):
                return False
            update = {"$set": {"version": secrets.token_hex(8)}}
            write = mongodb[PUBLIC_BOOK.name].update_one
            await write({"_id": document_id}, update, upsert=True, session=session)
            return True

        try:
            return await transaction(both)
        finally:
            _unused.append(document_id)
