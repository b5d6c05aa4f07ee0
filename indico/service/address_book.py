"""Address books: one for each user, named by the user's id, and one for everybody, `PUBLIC`.

This is the worked example of a service: the rules of a book, without HTTP. `routes/address.py` and
`routes/addresses.py` are its two faces. `service/address_entry.py` says what an entry may hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from collections.abc import Collection as Several
from functools import partial
from typing import Any

import indico.db.address_db as AddressDB
import indico.db.user_db as UserDB
from indico.db import ObjectId, Position, turn
from indico.db.address_db import PUBLIC, PUBLIC_VERSION, Address, Book
from indico.error import AuthError, Contended, NotFound, PreconditionFailed
from indico.service.address_entry import check_off_loop, is_large
from indico.service.documents import merge_patch
from indico.service.offload import in_thread
from indico.service.webhooks import announce, announced

__all__ = [
    "PUBLIC",
    "Address",
    "Book",
    "Position",
    "create_address",
    "delete_address",
    "get_address",
    "get_all_addresses",
    "list_addresses",
    "patch_address",
    "public_version",
    "update_address",
]

_AT_ONCE = 200
# A list of large addresses takes 16 MB and more while it is read.
_reading = partial(turn, "lists of addresses", 4)
_TRIES = 10


async def create_address(book: Book, entry: dict[str, Any]) -> Address:
    """Add an entry. Raise `InvalidArgument`, and `AuthError` if the user has been deleted."""
    await check_off_loop(entry)
    address = await _create(book, entry)
    if book != PUBLIC:
        await _keep_if_user_exists(book, address)
    return address


async def get_address(book: Book, address_id: ObjectId) -> Address:
    """Return an address. Raise `NotFound`, also for an address in another book."""
    address = await AddressDB.get(book, address_id)
    if address is None:
        raise _not_found()
    return address


@announced("address.updated")
async def update_address(
    book: Book, address_id: ObjectId, entry: dict[str, Any], versions: Several[str] | None = None
) -> Address:
    """Replace the entry of an address, if its version is one of `versions`.

    Raise `InvalidArgument`, `NotFound`, and `PreconditionFailed` for another version.
    """
    await check_off_loop(entry)
    address = await AddressDB.replace(book, address_id, entry, versions)
    if address is None:
        raise await _refusal(book, address_id, versions)
    await announce(id=address_id)
    return address


@announced("address.updated")
async def patch_address(
    book: Book, address_id: ObjectId, patch: dict[str, Any], versions: Several[str] | None = None
) -> Address:
    """Apply `merge_patch` to the entry of an address, with the errors of `update_address`.

    Raise `Contended` if others change the entry all the time.
    """
    async with turn(address_id, busy=_contended):  # else each patch would undo most others
        for _ in range(_TRIES):
            address = await get_address(book, address_id)
            if versions is not None and address.version not in versions:
                raise PreconditionFailed
            entry = await _merge_off_loop(address.entry, patch)
            await check_off_loop(entry)
            patched = await AddressDB.replace(book, address_id, entry, [address.version])
            if patched:
                await announce(id=address_id)
                return patched
            # Another process, or a replacement, has changed the entry: patch the new one.
    raise _contended()


@announced("address.deleted")
async def delete_address(
    book: Book, address_id: ObjectId, versions: Several[str] | None = None
) -> None:
    """Delete an address. Raise `NotFound`, and `PreconditionFailed` for another version."""
    if not await AddressDB.delete(book, address_id, versions):
        raise await _refusal(book, address_id, versions)
    await announce(id=address_id)


async def get_all_addresses(book: Book) -> AsyncIterator[Address]:
    """Yield all addresses by id, with a few in memory at a time.

    An address that exists from the first read to the last comes exactly once.
    """
    async with _reading():
        addresses, end = await AddressDB.find(book, _AT_ONCE)
    while True:
        for address in addresses:
            yield address
        if end is None:
            break
        async with _reading(busy=None):  # the answer has begun
            first = 2 * len(addresses)
            addresses, end = await AddressDB.find(book, _AT_ONCE, end, first=first)


async def list_addresses(
    book: Book, limit: int, after: Position | None = None, prefix: str | None = None
) -> tuple[list[Address], Position | None]:
    """Return at most `limit` addresses by id, and the position of the next page.

    The position is None on the last page. With `prefix`, the list has the addresses whose name
    begins with it, in any letter case, by name. Large addresses make a page shorter.
    """
    async with _reading():
        return await AddressDB.find(book, limit, after, prefix)


async def public_version() -> str:
    """Return the version of the public book, a new one after each of its changes."""
    return await PUBLIC_VERSION.get()


@announced("address.created")
async def _create(book: Book, entry: dict[str, Any]) -> Address:
    address = await AddressDB.create(book, entry)
    await announce(id=address.id)
    return address


async def _merge_off_loop(entry: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Apply `merge_patch`, a large patch in a thread: 50,000 objects in it take 40 ms."""
    merge = partial(merge_patch, entry, patch)
    merged: dict[str, Any] = await in_thread(merge) if is_large(patch) else merge()
    return merged


async def _keep_if_user_exists(user_id: ObjectId, address: Address) -> None:
    """Delete a new address, and raise `AuthError`, if its user has been deleted.

    The address is stored first, because `accounts.delete` empties the book after the user is gone.
    """
    try:
        await UserDB.get(user_id)
    except AuthError:
        await AddressDB.delete(user_id, address.id)
        raise


async def _refusal(
    book: Book, address_id: ObjectId, versions: Several[str] | None
) -> NotFound | PreconditionFailed:
    """Return the reason why a change matched no address."""
    exists = versions is not None and await AddressDB.get(book, address_id)
    return PreconditionFailed() if exists else _not_found()


def _contended() -> Contended:
    return Contended("Too many requests change this address at once: try again later.")


def _not_found() -> NotFound:
    return NotFound("There is no such address.")
