"""Addresses: every query on the collection `addresses`."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from collections.abc import Collection as Several
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, Part, SharedVersion

T = TypeVar("T")

# A search compares at most this many characters, because folding takes quadratic time.
MAX_NAME_KEY = 200

# Not null, because an index alone can't answer a query for null.
PUBLIC: Literal["public"] = "public"
Book = ObjectId | Literal["public"]
Entry = dict[str, Any]
# The last address of a page, as `name_key` and hex id; the next page begins after this address.
Position = tuple[str, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]]
POSITION: TypeAdapter[Position] = TypeAdapter(Position)


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

_LIST_BYTES = 2_000_000
_FEW = 4
_VERSION = re.compile(r"[0-7][0-9a-f]{15}")  # 63 bits, because MongoDB's integers are signed
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Address:
    """An entry with its id and place in lists; `version` is a new one after each change."""

    id: ObjectId
    entry: Entry
    version: str
    name_key: str

    @property
    def position(self) -> Position:
        return self.name_key, str(self.id)

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
) -> tuple[list[Address], bool]:
    """Return at most `limit` addresses after `after`, and whether more follow.

    The order is by id. With `prefix`, the list has the addresses whose name begins with it, in any
    letter case, by name and id. Large addresses make a list shorter, but never empty. MongoDB is
    asked for `first` addresses, because their size tells how many more fit.
    """
    asked = min(first, limit + 1)
    part = await _find_part(book, asked, after, prefix, _LIST_BYTES)
    found = [_address(document) for document in part.documents]
    if len(found) == asked <= limit:
        room = _LIST_BYTES - part.size
        asked = min(limit + 1 - asked, 1 + room * asked // part.size)
        part = await _find_part(book, asked, found[-1].position, prefix, room)
        found += [_address(document) for document in part.documents]
    if len(part.documents) == asked:  # the last one only shows that more follow
        return found[:-1], True
    return found, part.cut


def fold(text: str) -> str:
    """Return `text` with case and Unicode form folded, and with accents as separate characters."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


async def _change(book: Book, work: Callable[[], Awaitable[T]]) -> T:
    return await (PUBLIC_VERSION.change(work) if book == PUBLIC else work())


async def _find_part(
    book: Book, limit: int, after: Position | None, prefix: str | None, max_bytes: int
) -> Part[AddressDocument]:
    query: dict[str, Any] = {"book": book}
    if prefix is not None:
        query["name_key"] = names = _names(prefix)
    if after is not None:
        name_key, address_id = after[0], {"$gt": ObjectId(after[1])}
        if prefix is None:
            query["_id"] = address_id
        else:
            names["$gte"] = name_key
            query["$or"] = [{"name_key": {"$gt": name_key}}, {"_id": address_id}]
    sort = [("_id", 1)] if prefix is None else [("name_key", 1), ("_id", 1)]
    return await ADDRESSES.find_part(query, sort=sort, limit=limit, max_bytes=max_bytes)


def _names(prefix: str) -> dict[str, str]:
    """Return the range of the names that begin with `prefix`."""
    start = fold(prefix)
    return {"$gte": start, "$lt": end} if (end := _successor(start)) else {"$gte": start}


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


def _successor(prefix: str) -> str:
    """Return the first text after all texts that begin with `prefix`; empty if there is none."""
    prefix = prefix.rstrip(_LAST_CHARACTER)
    if not prefix:
        return ""
    following = ord(prefix[-1]) + 1
    # MongoDB compares UTF-8, which can't hold surrogates, so the successor skips them.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def _address(document: AddressDocument) -> Address:
    version = f"{document['version']:016x}"
    return Address(document["_id"], document["entry"], version, document["name_key"])
