"""The changes of several collections, by their owners, in one stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .bson_types import OPTIONS
from .change_stream import ChangeStream
from .collection import Collection, Document
from .driver import Key, mongodb

__all__ = ["LiveChanges", "PastChanges"]

# A read of the past that finds nothing more waits for so long.
_LONGEST_READ = 50  # milliseconds


class LiveChanges(ChangeStream[Document]):
    """The changes of `collections`, each of which has an owner, from now on.

    `before` of a change has the field with the owner only.
    """

    def __init__(
        self,
        collections: Sequence[Collection[Any]],
        *pipeline: Mapping[str, Any],
        after: Mapping[str, Any] | None = None,
    ) -> None:
        names = [collection.name for collection in collections]
        chosen = {"$match": {"ns.coll": {"$in": names}}}
        befores = {f"fullDocumentBeforeChange.{each.owner}": 1 for each in collections}
        kept = dict.fromkeys(("operationType", "documentKey", "fullDocument", "ns"), 1)
        stages = [chosen, *pipeline, {"$project": {**kept, **befores}}]
        super().__init__(", ".join(names), stages, after)

    def _watch(self, **options: Any) -> Any:
        database = mongodb.own.with_options(codec_options=OPTIONS)
        return database.watch(
            self._pipeline, full_document_before_change="whenAvailable", **options
        )


class PastChanges(LiveChanges):
    """The changes of one owner's documents between two positions, and maybe a few later ones.

    Deletions of which MongoDB does not know the owner are among them.
    """

    def __init__(
        self, collections: Sequence[Collection[Any]], owner: Key, after: str, until: str
    ) -> None:
        self._until = until
        concerning = {"$match": {"$or": [*_concerning(collections, owner)]}}
        super().__init__(collections, concerning, after={"_data": after})

    def _is_over(self) -> bool:
        return self.position >= self._until

    def _watch(self, **options: Any) -> Any:
        return super()._watch(**{**options, "max_await_time_ms": _LONGEST_READ})


def _concerning(collections: Sequence[Collection[Any]], owner: Key) -> Iterator[Document]:
    """Yield a condition for each way in which a change concerns an owner."""
    yield {"operationType": "delete", "fullDocumentBeforeChange": None}
    for collection in collections:
        for image in ("fullDocument", "fullDocumentBeforeChange"):
            yield {"ns.coll": collection.name, f"{image}.{collection.owner}": owner}
