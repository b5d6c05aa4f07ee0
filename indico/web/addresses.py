"""`/dashboard/address`: an entry of the caller's address book is added, changed or deleted."""

from __future__ import annotations

from typing import Any

from indico.db import ObjectId
from indico.error import RouteNotFound
from indico.service import address_book
from indico.service.address_book import Address
from indico.web.contact import Contact
from indico.web.form_handler import OwnFormHandler


class NewAddressHandler(OwnFormHandler):
    """The page to add an entry."""

    template = "address.html"

    async def submit(self) -> str:
        entry = self.read(Contact).applied_to({})
        await address_book.create_address(self.user_id, entry)
        return "/dashboard?done=added"


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
            return "/dashboard?done=deleted"
        entry: dict[str, Any] = self.read(Contact).applied_to(address.entry)
        await address_book.update_address(self.user_id, address.id, entry, versions)
        return "/dashboard?done=changed"

    async def _stored(self) -> Address:
        text = self.path_args[0]
        if not ObjectId.is_valid(text):
            raise RouteNotFound
        return await address_book.get_address(self.user_id, ObjectId(text))


NewAddressRoute = (r"/dashboard/address", NewAddressHandler)
AddressRoute = (r"/dashboard/address/([^/]+)", AddressHandler)
