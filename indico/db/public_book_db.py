"""The public address book's version: every query on the collection `public_book`.

The version is spread over a few documents, each with a `version` of its own. A change of the book
replaces one of these. So changes at the same time need not wait for one another, as MongoDB's
transactions do that write the same document.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from typing_extensions import TypedDict

from indico.db import Collection, transaction, turn

T = TypeVar("T")


class PublicBookDocument(TypedDict):
    _id: int
    version: str


PUBLIC_BOOK = Collection("public_book", PublicBookDocument)

_DOCUMENTS = 16
_unused = list(range(_DOCUMENTS))  # the `_id` of each document that no change holds


async def version() -> str:
    """Return the version, a new one after each change."""
    found = await PUBLIC_BOOK.find({}, sort=[("_id", 1)])
    text = "".join(document["version"] for document in found)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def change(work: Callable[[], Awaitable[T]]) -> T:
    """Change the book and its version together; `work` returns a false value if nothing matched."""
    async with turn(PUBLIC_BOOK.name, places=_DOCUMENTS):
        document_id = _unused.pop()
        try:
            return await _change(work, document_id)
        finally:
            _unused.append(document_id)


@transaction
async def _change(work: Callable[[], Awaitable[T]], document_id: int) -> T:
    if done := await work():
        await PUBLIC_BOOK.upsert({"_id": document_id}, {"version": secrets.token_hex(8)})
    return done
