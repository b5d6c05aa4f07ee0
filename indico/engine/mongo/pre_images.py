"""Pre-images: what a document of a live collection was before a change.

MongoDB tells only the id of a deleted document. The pre-image tells whose document that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .collection import Collection
from .collection_options import put_options
from .driver import Database, Document

_OPTION = "changeStreamPreAndPostImages"
_OFF = {_OPTION: {"enabled": False}}
_ON = {_OPTION: {"enabled": True}}
_NO_RIGHT = (
    "MongoDB keeps no pre-images of %s, because the user in mongodb_uri may not ask for them. So a "
    "deletion tells all live clients to read everything again: grant the user the role dbAdmin of "
    "this database."
)

__all__ = ["keep_pre_images", "pre_images"]


def pre_images(collections: Sequence[Collection[Any]]) -> dict[str, Document]:
    """Return the options with which MongoDB keeps the pre-images of live collections."""
    return {collection.name: _ON for collection in collections if collection.live}


async def keep_pre_images(collections: Sequence[Collection[Any]], database: Database) -> None:
    """Let MongoDB keep the pre-images of live collections, as long as it knows the changes."""
    if wanted := pre_images(collections):
        await put_options(wanted, _OFF, database, _NO_RIGHT)
