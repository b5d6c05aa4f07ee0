"""The changes of several collections, by their owners, in one stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .bson_types import OPTIONS
from .change_stream import ChangeStream
from .collection import Collection, Document
from .driver import Key, mongodb

__all__ = ["LiveChanges", "PastChanges", "seconds_between"]

# A read of the past that finds nothing more waits for so long.
_LONGEST_READ = 50  # milliseconds
# The digits of a position that are its time, and those that tell a change from a mere time.
_TIME, _KIND = slice(2, 18), slice(22, 24)
_MERE_TIME = "29"


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
    """The changes of some owners' documents between two positions, and maybe a few later ones.

    Deletions of which MongoDB does not know the owner are among them.
    """

    def __init__(
        self,
        collections: Sequence[Collection[Any]],
        owners: Sequence[Key],
        after: str,
        until: str,
    ) -> None:
        self._until = until
        concerning = {"$match": {"$or": [*_concerning(collections, owners)]}}
        super().__init__(collections, concerning, after={"_data": after})

    @property
    def complete(self) -> bool:
        """True once all changes up to the later position were read.

        At the end of MongoDB's log, the position is not after the last change, but at its time. A
        mere time is after all changes of earlier times.
        """
        needed = _time(self._until) - (self._until[_KIND] == _MERE_TIME)
        at_end = self._caught_up and _time(self.position) >= needed
        return at_end or self.position >= self._until

    def _is_over(self) -> bool:
        return self.complete

    def _watch(self, **options: Any) -> Any:
        return super()._watch(**{**options, "max_await_time_ms": _LONGEST_READ})


def _time(position: str) -> int:
    return int(position[_TIME], 16)


def seconds_between(position: str, later: str) -> int:
    """Return the seconds between two positions."""
    return (_time(later) - _time(position)) >> 32


def _concerning(
    collections: Sequence[Collection[Any]], owners: Sequence[Key]
) -> Iterator[Document]:
    """Yield a condition for each way in which a change concerns one of the owners."""
    yield {"operationType": "delete", "fullDocumentBeforeChange": None}
    for collection in collections:
        for image in ("fullDocument", "fullDocumentBeforeChange"):
            yield {"ns.coll": collection.name, f"{image}.{collection.owner}": {"$in": [*owners]}}
