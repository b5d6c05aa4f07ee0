"""`/addresses`: the public address book, by REST. Everybody may read and change the book."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict

from indico.db import Id, ObjectId
from indico.error import Conflict, NotFound, PreconditionFailed, RouteNotFound
from indico.routes.handler import DEFAULT_LIMIT, Created, Cursor, Limit, Page, RestHandler, dumps
from indico.service import address_book
from indico.service.address_book import PUBLIC, Address, Position
from indico.service.address_entry import Entry, Patch, Stored
from indico.utils import raises, type_check, unpack

# The id in a path; a text that is no id has no entry.
PathId = Annotated[str, WithJsonSchema(TypeAdapter(Id).json_schema())]


class ListedAddress(TypedDict):
    """An entry with its id, which is the last part of its path."""

    id: ObjectId
    entry: Stored


class AddressesHandler(RestHandler):
    """The public address book. Everybody may read and change the book."""

    @type_check(Entry)
    async def post(self, entry: dict[str, Any]) -> Created[None]:
        """Add an entry; the answer's `Location` is its path."""
        address = await address_book.create_address(PUBLIC, entry)
        self.set_header("Location", f"/addresses/{address.id}")
        self.set_tag(address.version)

    @unpack(limit=None, cursor=None)
    @type_check(Limit, Cursor)
    @raises(PreconditionFailed)
    async def get(
        self, limit: int | None, cursor: str | None
    ) -> dict[PathId, Stored] | Page[ListedAddress] | None:
        """Return all entries by their ids; with `limit` or `cursor`, one page of them."""
        if limit is not None or cursor is not None:
            return await self.page(_find, limit or DEFAULT_LIMIT, cursor)
        if not self.not_modified(await address_book.public_version()):
            await self.stream(_pieces(address_book.get_all_addresses(PUBLIC)))
        return None


class AddressesEntryHandler(RestHandler):
    """One entry of the book."""

    @raises(NotFound, PreconditionFailed)
    async def get(self, address_id: PathId) -> Stored | None:
        """Return the entry."""
        address = await address_book.get_address(PUBLIC, _id(address_id))
        return None if self.not_modified(address.version) else address.entry

    @type_check(Entry)
    @raises(NotFound, PreconditionFailed)
    async def put(self, address_id: PathId, entry: dict[str, Any]) -> None:
        """Replace the entry."""
        found = await self._find(address_id)
        address = await address_book.update_address(PUBLIC, found, entry, self.versions)
        self.set_tag(address.version)

    @type_check(Patch)
    @raises(Conflict, NotFound, PreconditionFailed)
    async def patch(self, address_id: PathId, patch: dict[str, Any]) -> Stored:
        """Apply a JSON Merge Patch (RFC 7396), and return the changed entry.

        Too many requests that change the entry at once are a 409.
        """
        found = await self._find(address_id)
        address = await address_book.patch_address(PUBLIC, found, patch, self.versions)
        self.set_tag(address.version)
        return address.entry

    @raises(NotFound, PreconditionFailed)
    async def delete(self, address_id: PathId) -> None:
        """Delete the entry."""
        found = await self._find(address_id)
        await address_book.delete_address(PUBLIC, found, self.versions)

    async def _find(self, address_id: str) -> ObjectId:
        """Return the id of the entry to change, unless `If-None-Match` forbids the change."""
        found = _id(address_id)
        if self.tags("If-None-Match"):
            self.refuse_match((await address_book.get_address(PUBLIC, found)).version)
        return found


AddressesRoute = (r"/addresses/?", AddressesHandler)
AddressesEntryRoute = (r"/addresses/([^/]+)/?", AddressesEntryHandler)


async def _find(limit: int, after: Position | None) -> tuple[list[ListedAddress], Position | None]:
    found, end = await address_book.list_addresses(PUBLIC, limit, after)
    return [ListedAddress(id=address.id, entry=address.entry) for address in found], end


async def _pieces(addresses: AsyncIterator[Address]) -> AsyncIterator[bytes]:
    """Yield the JSON object `{id: entry}` piece by piece."""
    before = b"{"
    async for address in addresses:
        yield b'%b"%b":%b' % (before, str(address.id).encode(), dumps(address.entry))
        before = b","
    yield b"{}" if before == b"{" else b"}"


def _id(text: str) -> ObjectId:
    if not ObjectId.is_valid(text):
        raise RouteNotFound
    return ObjectId(text)
