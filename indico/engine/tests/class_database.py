"""`ClassDatabase`: one database for all tests of a class, each of which finds it empty."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any
from unittest import TestCase

from pymongo import MongoClient

from ..mongo.collection import Collection


class ClassDatabase:
    """The database of a test class, which keeps `collections` until the last test.

    MongoDB takes longer to make and drop validators and indexes than most tests run.
    """

    def __init__(self, kind: type[TestCase], collections: Sequence[Collection[Any]]) -> None:
        number = zlib.crc32(f"{kind.__module__}.{kind.__qualname__}".encode())
        self.name = f"test_{kind.__name__[:35]}_{number:08x}"
        self._collections = collections
        self._is_made = False

    def missing(self) -> Sequence[Collection[Any]]:
        """Return the collections that are to be made, which is all or none."""
        return () if self._is_made else self._collections

    async def empty(self, database: Any) -> None:
        """Delete all documents of `database`, which is this one, and drop all other collections."""
        kept = {collection.name for collection in self._collections}
        names = await database.list_collection_names()
        for name in names:
            if name in kept:
                await database[name].delete_many({})
            else:
                await database.drop_collection(name)
        self._is_made = kept <= set(names)

    def drop(self, uri: str) -> None:
        if self._is_made:
            with MongoClient[Any](uri) as client:
                client.drop_database(self.name)
            self._is_made = False
