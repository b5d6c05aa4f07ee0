"""`/address`: the caller's own address book."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from indico.db import Id, ObjectId
from indico.error import NotFound, PreconditionFailed
from indico.routes.handler import DEFAULT_LIMIT, Created, Cursor, IndicoHandler, Limit, Page
from indico.service import address_book
from indico.service.address_book import Address, Book, Position
from indico.service.address_entry import Entry, Stored
from indico.utils import idempotent, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth

Version = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{16}$"), Field(examples=["0123456789abcdef"])
]
Query = Annotated[str, StringConstraints(max_length=100)]


class AddressAnswer(TypedDict):
    """An entry, its id, and its version, which is a new one after each change."""

    id: ObjectId
    version: Version
    entry: Stored


class AddressHandler(IndicoHandler):
    """The address book of the token's user."""

    @not_idempotent
    @auth
    @unpack("entry")
    @type_check(Entry)
    async def create(self, entry: dict[str, Any]) -> Created[AddressAnswer]:
        """Add an entry, and return it."""
        return _answer(await address_book.create_address(self.user_id, entry))

    @read_only
    @auth
    @unpack("id")
    @type_check(Id)
    @raises(NotFound)
    async def get(self, address_id: ObjectId) -> AddressAnswer:
        """Return an entry."""
        return _answer(await address_book.get_address(self.user_id, address_id))

    @idempotent
    @auth
    @unpack("id", "entry", version=None)
    @type_check(Id, Entry, Version)
    @raises(NotFound, PreconditionFailed)
    async def update(
        self, address_id: ObjectId, entry: dict[str, Any], version: str | None
    ) -> AddressAnswer:
        """Replace an entry; with `version`, only if the stored one still has that version."""
        versions = None if version is None else [version]
        return _answer(await address_book.update_address(self.user_id, address_id, entry, versions))

    @idempotent
    @auth
    @unpack("id", version=None)
    @type_check(Id, Version)
    @raises(NotFound, PreconditionFailed)
    async def delete(self, address_id: ObjectId, version: str | None) -> None:
        """Delete an entry; with `version`, only if the stored one still has that version."""
        versions = None if version is None else [version]
        await address_book.delete_address(self.user_id, address_id, versions)

    @read_only
    @auth
    @unpack(limit=DEFAULT_LIMIT, cursor=None, query=None)
    @type_check(Limit, Cursor, Query)
    async def list(self, limit: int, cursor: str | None, query: str | None) -> Page[AddressAnswer]:
        """Return a page of entries; with `query`, of entries whose name begins with it.

        The order is by id, and with `query` by name, in any letter case. A list is stable: an entry
        that exists from the first page to the last comes exactly once. A page of large entries ends
        at about 2 MB, with fewer than `limit` entries. A cursor is valid for its own list only.
        """
        find = partial(_find, self.user_id, query)
        return await self.page(find, limit, cursor, query)


AddressRoute = (r"/address/(?P<action>[a-zA-Z_]+)?", AddressHandler)


async def _find(
    book: Book, query: str | None, limit: int, after: Position | None
) -> tuple[list[AddressAnswer], Position | None]:
    found, end = await address_book.list_addresses(book, limit, after, query)
    return [_answer(address) for address in found], end


def _answer(address: Address) -> AddressAnswer:
    return AddressAnswer(id=address.id, version=address.version, entry=address.entry)
