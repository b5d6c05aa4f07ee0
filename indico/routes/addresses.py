"""`/addresses`: the public address book, by REST. Everybody may read and change the book."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from indico.db import ObjectId
from indico.error import InvalidArgument, RouteNotFound, problems_of
from indico.routes.handler import DEFAULT_LIMIT, Limit, RestHandler, dumps
from indico.service import address_book
from indico.service.address_book import POSITION, PUBLIC, Address, Position

_LIMIT: TypeAdapter[int] = TypeAdapter(Limit)
_DIGITS = re.compile(r"[0-9]{1,9}")


class AddressesHandler(RestHandler):
    """The whole book."""

    async def post(self) -> None:
        """Add an entry; the answer's `Location` is its path."""
        address = await address_book.create_address(PUBLIC, self.body)
        self.set_header("Location", f"/addresses/{address.id}")
        self.set_tag(address.version)
        self.respond(code=201)

    async def get(self) -> Any:
        """Return all entries, `{id: entry}`; with `limit` or `cursor`, one page of them."""
        limit = self.get_query_argument("limit", None)
        cursor = self.get_query_argument("cursor", None)
        if limit is not None or cursor is not None:
            length = DEFAULT_LIMIT if limit is None else _limit(limit)
            return await self.page(_find, length, cursor, kind=POSITION)
        if not self.not_modified(await address_book.public_version()):
            await self.stream(_pieces(address_book.get_all_addresses(PUBLIC)))
        return None


class AddressesEntryHandler(RestHandler):
    """One entry of the book."""

    async def get(self, address_id: str) -> Any:
        """Return the entry."""
        address = await address_book.get_address(PUBLIC, _id(address_id))
        return None if self.not_modified(address.version) else address.entry

    async def put(self, address_id: str) -> None:
        """Replace the entry."""
        found = await self._find(address_id)
        address = await address_book.update_address(PUBLIC, found, self.body, self.versions)
        self.set_tag(address.version)

    async def patch(self, address_id: str) -> Any:
        """Apply a JSON Merge Patch (RFC 7396), and return the changed entry."""
        found = await self._find(address_id)
        address = await address_book.patch_address(PUBLIC, found, self.body, self.versions)
        self.set_tag(address.version)
        return address.entry

    async def delete(self, address_id: str) -> None:
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


async def _find(limit: int, after: Position | None) -> tuple[list[dict[str, Any]], Position | None]:
    found, end = await address_book.list_addresses(PUBLIC, limit, after)
    return [{"id": address.id, "entry": address.entry} for address in found], end


async def _pieces(addresses: AsyncIterator[Address]) -> AsyncIterator[bytes]:
    """Yield the JSON object `{id: entry}` piece by piece."""
    before = b"{"
    async for address in addresses:
        yield b'%b"%b":%b' % (before, str(address.id).encode(), dumps(address.entry))
        before = b","
    yield b"{}" if before == b"{" else b"}"


def _limit(text: str) -> int:
    try:
        return _LIMIT.validate_python(int(text) if _DIGITS.fullmatch(text) else text, strict=True)
    except ValidationError as error:
        raise InvalidArgument.join(problems_of(error, "limit")) from None


def _id(text: str) -> ObjectId:
    if not ObjectId.is_valid(text):
        raise RouteNotFound
    return ObjectId(text)
