"""The address book on the dashboard, and `/dashboard/address`, where its entries are changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from indico.db import ObjectId
from indico.error import RouteNotFound
from indico.service import address_book
from indico.service.address_book import Address, Position
from indico.service.address_book import Book as BookName
from indico.web.contact import Contact
from indico.web.form_handler import OwnFormHandler
from indico.web.handler import PageHandler

_ENTRIES = 20
_MAX_QUERY = 100
Entry = tuple[ObjectId, Contact]


@dataclass(frozen=True)
class Book:
    """A page of the caller's address book, of names that begin with `query`."""

    query: str
    entries: list[Entry]
    next_cursor: str | None
    is_later: bool  # than the first page

    @classmethod
    async def read(cls, handler: PageHandler) -> Book:
        """Return the page that the query of a request asks for."""
        query = handler.get_query_argument("query", "")[:_MAX_QUERY]
        cursor = handler.get_query_argument("cursor", None)
        find = partial(_find, handler.user_id, query or None)
        page = await handler.page(find, _ENTRIES, cursor, query)
        return cls(query, page["items"], page["next_cursor"], cursor is not None)


class NewAddressHandler(OwnFormHandler):
    """The page to add an entry."""

    template = "address.html"

    async def submit(self) -> str:
        entry = self.read(Contact).applied_to({})
        await address_book.create_address(self.user_id, entry)
        return "/dashboard?done=book_added"


class AddressHandler(OwnFormHandler):
    """The page to change or delete an entry, unless it has changed since the page was shown."""

    template = "address.html"

    async def values(self) -> dict[str, str]:
        address = await self._stored()
        contact = Contact.of(address.entry).model_dump(exclude_none=True)
        return {**contact, "version": address.version}

    async def submit(self) -> str:
        address, versions = await self._stored(), [self.form.get("version", "")]
        if "delete" in self.form:
            await address_book.delete_address(self.user_id, address.id, versions)
            return "/dashboard?done=book_deleted"
        entry: dict[str, Any] = self.read(Contact).applied_to(address.entry)
        await address_book.update_address(self.user_id, address.id, entry, versions)
        return "/dashboard?done=book_changed"

    async def _stored(self) -> Address:
        text = self.path_args[0]
        if not ObjectId.is_valid(text):
            raise RouteNotFound
        return await address_book.get_address(self.user_id, ObjectId(text))


NewAddressRoute = (r"/dashboard/address", NewAddressHandler)
AddressRoute = (r"/dashboard/address/([^/]+)", AddressHandler)


async def _find(
    book: BookName, query: str | None, limit: int, after: Position | None
) -> tuple[list[Entry], Position | None]:
    found, end = await address_book.list_addresses(book, limit, after, query)
    return [(address.id, Contact.of(address.entry)) for address in found], end
