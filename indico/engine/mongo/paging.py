"""Lists by the page: each page begins after the last document of the page before, with no skip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..error import WrongCursor
from .collection import Collection
from .declared_collection import T
from .documents import Part

Position = Sequence[Any]  # the values by which a document is sorted
Order = Sequence[tuple[str, int]]

__all__ = ["Position", "find_page"]

_MAX_BYTES = 2_000_000


async def find_page(
    collection: Collection[T],
    query: Mapping[str, Any],
    *,
    limit: int,
    after: Position | None = None,
    sort: Order = (("_id", 1),),
    first: int | None = None,
) -> tuple[list[T], Position | None]:
    """Return the documents after a position, and the position of the next page; None at the end.

    The order is that of `sort`, and then of `_id`, in the direction of the last field. So the order
    is stable: a document that exists from the first page to the last comes exactly once. A sorted
    field holds values of one type, or null. The collection needs an index on the fields that
    `query` compares, then those of `sort`, then `_id`. Large documents make a page shorter.

    MongoDB sends up to 16 MB of a page that becomes shorter. With `first` it is asked for so many
    documents before, because their size tells how many more fit.

        NOTES = Collection("notes", NoteDocument, IndexModel([("user_id", 1), ("_id", 1)]))

        await find_page(NOTES, {"user_id": user_id}, limit=limit, after=after)
    """
    order = sort if sort[-1][0] == "_id" else [*sort, ("_id", sort[-1][1])]

    async def read(after: Position | None, limit: int, max_bytes: int) -> Part[T]:
        beyond = query if after is None else {"$and": [query, *_after(order, after)]}
        return await collection.find_part(beyond, sort=order, limit=limit, max_bytes=max_bytes)

    asked = min(first or limit + 1, limit + 1)
    part = await read(after, asked, _MAX_BYTES)
    found = part.documents
    if len(found) == asked <= limit:
        room = _MAX_BYTES - part.size
        asked = max(1, min(limit + 1 - asked, 1 + room * asked // part.size))
        part = await read(_position(order, found[-1]), asked, room)
        found = found + part.documents
    more = part.cut
    if len(part.documents) == asked:  # the last one only shows that more follow
        found, more = found[:-1], True
    return found, _position(order, found[-1]) if more else None


def _position(order: Order, document: Mapping[str, Any]) -> Position:
    return [_value(document, field) for field, _ in order]


def _after(order: Order, position: Position) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions for the documents after `position`. Raises `WrongCursor`."""
    if len(position) != len(order):  # a cursor of an older version
        raise WrongCursor
    if len(order) > 1:  # without this one MongoDB would read the index from its beginning
        yield {order[0][0]: _not_before(order[0][1], position[0])}
    same: dict[str, Any] = {}
    branches = []
    for (field, direction), value in zip(order, position, strict=True):
        branches += [{**same, field: beyond} for beyond in _beyond(direction, value)]
        same[field] = value
    yield {"$or": branches} if len(branches) > 1 else branches[0]


def _not_before(direction: int, value: Any) -> Mapping[str, Any]:
    """Return what a field is from `value` on; descending, null comes last."""
    if direction > 0 and value is not None:
        return {"$gte": value}
    return {"$not": {"$gt" if direction < 0 else "$lt": value}}


def _beyond(direction: int, value: Any) -> Sequence[Any]:
    """Return what a field is after `value`; null is before all values, and compares with none."""
    if direction > 0:
        return [{"$ne": None} if value is None else {"$gt": value}]
    return [] if value is None else [{"$lt": value}, None]


def _value(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = (found or {}).get(name)
    return found
