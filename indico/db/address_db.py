"""Addresses: every query on the collection `addresses`."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from collections.abc import Collection as Several
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from typing_extensions import TypedDict

from indico.db import (
    Collection,
    IndexModel,
    ObjectId,
    Position,
    SharedVersion,
    beginning_with,
    find_page,
)
from indico.error import WrongCursor

T = TypeVar("T")

# A search compares at most this many characters, because folding takes quadratic time.
MAX_NAME_KEY = 200

# Not null, because an index alone can't answer a query for null.
PUBLIC: Literal["public"] = "public"
Book = ObjectId | Literal["public"]
Entry = dict[str, Any]
# The types in a position: lists are by id, or by name and id.
_POSITIONS = ([ObjectId], [str, ObjectId])


class _Changes(TypedDict):
    """The fields that each change sets.

    `entry` is as the client sent it. `name_key` is the entry's name without case and accents, for
    searches. `version` is a random number, a new one with each change.
    """

    entry: Entry
    name_key: str
    version: int


class AddressDocument(_Changes):
    """A stored address; `book` is its user's id, or `PUBLIC`."""

    _id: ObjectId
    book: Book


ADDRESSES = Collection(
    "addresses",
    AddressDocument,
    IndexModel([("book", 1), ("_id", 1)]),
    IndexModel([("book", 1), ("name_key", 1), ("_id", 1)]),
    owner="book",
    live=lambda document: _address(document).answer,
)
# Of the public book alone, which anybody may change.
PUBLIC_VERSION = SharedVersion("public_book")

_FEW = 4
_VERSION = re.compile(r"[0-7][0-9a-f]{15}")  # 63 bits, because MongoDB's integers are signed


@dataclass(frozen=True, slots=True)
class Address:
    """An entry with its id; `version` is a new one after each change."""

    id: ObjectId
    entry: Entry
    version: str

    @property
    def answer(self) -> dict[str, Any]:
        return {"id": self.id, "version": self.version, "entry": self.entry}


async def create(book: Book, entry: Entry) -> Address:
    document: AddressDocument = {"_id": ObjectId(), "book": book, **_changes(entry)}
    await _change(book, lambda: ADDRESSES.insert(document))
    return _address(document)


async def get(book: Book, address_id: ObjectId) -> Address | None:
    document = await ADDRESSES.find_by_id(address_id)
    return _address(document) if document and document["book"] == book else None


async def replace(
    book: Book, address_id: ObjectId, entry: Entry, versions: Several[str] | None = None
) -> Address | None:
    """Replace an entry, and return its address; None if nothing matched.

    With `versions`, only an address with one of these versions matches.
    """
    query, changes = _query(book, address_id, versions), _changes(entry)
    found = await _change(book, lambda: ADDRESSES.update_one(query, changes))
    return _address({"_id": address_id, "book": book, **changes}) if found else None


async def delete(book: Book, address_id: ObjectId, versions: Several[str] | None = None) -> bool:
    """Delete an address; return False if nothing matched, with `versions` as in `replace`."""
    query = _query(book, address_id, versions)
    return await _change(book, lambda: ADDRESSES.delete(query)) == 1


async def find(
    book: Book,
    limit: int,
    after: Position | None = None,
    prefix: str | None = None,
    first: int = _FEW,
) -> tuple[list[Address], Position | None]:
    """Return a page of addresses, and the position of the next page.

    The order is by id. With `prefix`, the list has the addresses whose name begins with it, in any
    letter case, by name. MongoDB is asked for `first` addresses before the others. Raise
    `WrongCursor` for a position that is none.
    """
    if after is not None and [type(value) for value in after] not in _POSITIONS:
        raise WrongCursor  # an older version had others
    query: dict[str, Any] = {"book": book}
    sort = [("_id", 1)]
    if prefix is not None:
        query["name_key"], sort = beginning_with(fold(prefix)), [("name_key", 1)]
    found, end = await find_page(ADDRESSES, query, limit=limit, after=after, sort=sort, first=first)
    return [_address(document) for document in found], end


def fold(text: str) -> str:
    """Return `text` with case and Unicode form folded, and with accents as separate characters."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


async def _change(book: Book, work: Callable[[], Awaitable[T]]) -> T:
    return await (PUBLIC_VERSION.change(work) if book == PUBLIC else work())


def _query(book: Book, address_id: ObjectId, versions: Several[str] | None) -> dict[str, Any]:
    query: dict[str, Any] = {"_id": address_id, "book": book}
    if versions is not None:
        known = [int(version, 16) for version in versions if _VERSION.fullmatch(version)]
        query["version"] = {"$in": known}
    return query


def _changes(entry: Entry) -> _Changes:
    name: str = entry.get("name") or entry.get("full_name") or ""
    name_key = fold(name[:MAX_NAME_KEY])
    return {"entry": entry, "name_key": name_key, "version": secrets.randbits(63)}


def _address(document: AddressDocument) -> Address:
    return Address(document["_id"], document["entry"], f"{document['version']:016x}")
