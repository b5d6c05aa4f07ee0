"""`DeclaredCollection`: the name, the model and the indexes of a collection, and its commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Generic, TypeVar, get_origin

from pymongo import IndexModel
from typing_extensions import is_typeddict

from ..error import ServerError, short
from .attempt import current
from .batched import Batched, Commands
from .batches import MAX_BYTES
from .driver import Key, mongodb
from .driver_commands import DriverCommands

DocumentId = Key
T = TypeVar("T", bound=Mapping[str, Any])

__all__ = ["DeclaredCollection", "DocumentId", "T"]


class DeclaredCollection(Generic[T]):
    """A collection with documents like `model`: a TypedDict, or `Document` for any fields."""

    def __init__(
        self,
        name: str,
        model: type[T],
        *indexes: IndexModel,
        owner: str | None = None,
        live: Callable[[T], Any] | None = None,
    ) -> None:
        if not is_typeddict(model) and get_origin(model) is not dict:
            raise TypeError(
                f"Collection({name!r}, ...) needs the class of its documents as the second "
                "argument: a TypedDict, or Document for any fields."
            )
        if live and (not owner or is_typeddict(live)):
            raise TypeError(
                f"Collection({name!r}, live=...) needs owner=, and a function that returns what "
                "the owner may see of a document."
            )
        self.name = name
        self.model = model
        self.indexes = indexes
        self.owner = owner
        self.live = live
        self._fields = set(model.__annotations__) if is_typeddict(model) else None
        self._unique = {"_id"}.union(*map(_unique_field, indexes))

    def _check(self, *changes: Iterable[str]) -> None:
        """Raise `ServerError` for a path whose field the model does not name, such as a typo."""
        if self._fields is not None:
            for path in chain(*changes):
                if path.partition(".")[0] not in self._fields:
                    raise ServerError(f"The model of {self.name} has no field {short(path)}.")

    def _batched(self, size: int = 0) -> Batched | None:
        """Return the batches of the open database; None where `size` bytes go out alone.

        In a transaction all operations do.
        """
        if not mongodb.max_batches_in_flight or size > MAX_BYTES or current():
            return None
        return self._opened()

    def _commands(self) -> Commands:
        if attempt := current():
            return DriverCommands(self.name, attempt)
        return self._opened().commands

    def _opened(self) -> Batched:
        """Return what the open database has for this collection. Raises `Unavailable`."""
        opened: Batched | None = mongodb.opened.get(self.name)
        if opened is None:
            opened = mongodb.opened[self.name] = Batched(self.name)
        return opened


def _unique_field(index: IndexModel) -> set[str]:
    """Return the field of `index` if a value of that field finds at most one document."""
    made = index.document
    fields = [field for field in made["key"] if "." not in field]
    if made.get("unique") and len(made["key"]) == 1 and "partialFilterExpression" not in made:
        return set(fields)
    return set()
