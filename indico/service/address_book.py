"""Address books: one of each user, by the user's id, and `PUBLIC`.

The worked example of a service: what a book does, whoever asks, over `db/address_db.py`. It knows
nothing of HTTP; `routes/address.py` and `routes/addresses.py` are two ways to ask it. An entry is a
JSON object: see `service/address_entry.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from collections.abc import Collection as Several
from typing import Any

import indico.db.address_db as AddressDB
import indico.db.user_db as UserDB
from indico.db import ObjectId
from indico.db.address_db import PUBLIC, Address, Book, Position
from indico.error import AuthError, NotFound, PreconditionFailed
from indico.service.address_entry import check_entry

__all__ = [
    "PUBLIC",
    "Address",
    "Book",
    "Position",
    "book_state",
    "create_address",
    "delete_address",
    "get_address",
    "get_all_addresses",
    "list_addresses",
    "merge_patch",
    "patch_address",
    "update_address",
]

_AT_ONCE = 200


async def create_address(book: Book, entry: dict[str, Any]) -> Address:
    """Raises `InvalidArgument`, and `AuthError` if the user is gone."""
    check_entry(entry)
    address = await AddressDB.create(book, entry)
    # Looked at after the address is there: `accounts.delete` empties the book after the user.
    if book != PUBLIC and await UserDB.get(book) is None:
        await AddressDB.delete(book, address.id)
        raise AuthError
    return address


async def get_address(book: Book, address_id: ObjectId) -> Address:
    """Raises `NotFound`, also for an address of another book."""
    address = await AddressDB.get(book, address_id)
    if address is None:
        raise _not_found()
    return address


async def update_address(
    book: Book, address_id: ObjectId, entry: dict[str, Any], versions: Several[str] | None = None
) -> Address:
    """Puts `entry` in the place of the one that is there, if that is in one of `versions`.

    Raises `InvalidArgument`, `NotFound`, and `PreconditionFailed` for another version.
    """
    check_entry(entry)
    address = await AddressDB.replace(book, address_id, entry, versions)
    if address is None:
        raise await _refusal(book, address_id, versions)
    return address


async def patch_address(
    book: Book, address_id: ObjectId, patch: dict[str, Any], versions: Several[str] | None = None
) -> Address:
    """As `update_address`, with what `merge_patch` makes of the entry that is there."""
    while True:
        address = await get_address(book, address_id)
        if versions is not None and address.version not in versions:
            raise PreconditionFailed
        entry = merge_patch(address.entry, patch)
        check_entry(entry)
        patched = await AddressDB.replace(book, address_id, entry, [address.version])
        if patched:
            return patched  # else somebody else was quicker: the patch is for what is there now


async def delete_address(
    book: Book, address_id: ObjectId, versions: Several[str] | None = None
) -> None:
    """Raises `NotFound`, and `PreconditionFailed` if it is in none of `versions`."""
    if not await AddressDB.delete(book, address_id, versions):
        raise await _refusal(book, address_id, versions)


async def get_all_addresses(book: Book) -> AsyncIterator[Address]:
    """By id, a few in memory at a time.

    While the book changes: each that was there from the first to the last comes once.
    """
    after: ObjectId | None = None
    limit = _AT_ONCE
    while addresses := await AddressDB.find(book, after, limit):
        for address in addresses:
            yield address
        after = addresses[-1].id
        # What one part has no room for would be sent for nothing.
        limit = min(_AT_ONCE, 2 * len(addresses))


async def list_addresses(
    book: Book, limit: int, after: Position | None = None, prefix: str | None = None
) -> tuple[list[Address], Position | None]:
    """At most `limit`, and where the list goes on; None if nothing comes behind.

    By id; with `prefix` by name, those whose name begins with it, whatever its case. There are
    fewer than `limit` also where more would be too large for one answer.
    """
    addresses = await _find(book, limit + 1, after, prefix)
    if len(addresses) > limit:
        return addresses[:limit], addresses[limit - 1].position
    if addresses and await _find(book, 1, addresses[-1].position, prefix):
        return addresses, addresses[-1].position
    return addresses, None


async def book_state(book: Book) -> str:
    """Another text after each change of the book."""
    return await AddressDB.state(book)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2: a null takes a field away, an object is merged, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


async def _find(
    book: Book, limit: int, after: Position | None, prefix: str | None
) -> list[Address]:
    if prefix is None:
        return await AddressDB.find(book, ObjectId(after[1]) if after else None, limit)
    return await AddressDB.find_by_name(book, prefix, after, limit)


async def _refusal(
    book: Book, address_id: ObjectId, versions: Several[str] | None
) -> NotFound | PreconditionFailed:
    """Why nothing was found to be changed."""
    there = versions is not None and await AddressDB.get(book, address_id)
    return PreconditionFailed() if there else _not_found()


def _not_found() -> NotFound:
    return NotFound("There is no such address.")
