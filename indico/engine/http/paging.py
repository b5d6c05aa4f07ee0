"""A page of a list, as actions and REST resources answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import SecretStr
from typing_extensions import TypedDict

from .cursor import read_cursor, write_cursor

T = TypeVar("T")
Find = Callable[[int, list[Any] | None], Awaitable[tuple[list[T], Sequence[Any] | None]]]


class Page(TypedDict, Generic[T]):
    """A part of a list; `next_cursor` asks for the next part, and is null at the end."""

    items: list[T]
    next_cursor: str | None


async def read_page(
    find: Find[T],
    limit: int,
    cursor: str | None,
    purpose: str,
    secret: SecretStr,
) -> Page[T]:
    """Return the page at `cursor`, which must be one for the same `purpose`."""
    after = None if cursor is None else read_cursor(cursor, purpose, secret)
    items, end = await find(limit, after)
    next_cursor = None if end is None else write_cursor(end, purpose, secret)
    return Page(items=items, next_cursor=next_cursor)
