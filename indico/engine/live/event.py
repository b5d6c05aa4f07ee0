"""Events: what the clients of an owner are told about a change, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ..error import WrongCursor
from ..http.cursor import read_cursor, write_cursor
from ..http.json_answer import dumps
from ..mongo.change_stream import Change
from ..mongo.collection import Document, DocumentId

_PURPOSE = "event"


@dataclass(frozen=True, slots=True)
class Event:
    """A message about the data at a `position` among all changes; `id` is the signed position."""

    position: str
    id: str
    text: bytes


NOTHING = Event("", "", b"")  # in place of an event, for a connection that has been silent


class EventWriter:
    """The making of events, each once for all clients.

    An id is signed, so that MongoDB gets no position which a client has invented.
    """

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def position_of(self, event_id: str) -> str | None:
        """Return the position of an event; None for an id that was not signed with today's key."""
        try:
            found: list[str] = read_cursor(event_id, _PURPOSE, self._secret)
        except WrongCursor:
            return None
        return found[0]

    def ready(self, position: str) -> Event:
        """Return the event after which a client gets each change."""
        return self._event(position, {"ready": True})

    def resync(self, position: str) -> Event:
        """Return the event that asks a client to read all its data again."""
        return self._event(position, {"resync": True})

    def of_change(
        self, change: Change[Document], owner: str, live: Callable[[Document], Any]
    ) -> Iterator[tuple[DocumentId | None, Event]]:
        """Yield an event for each owner whom a change concerns; `owner` is a field.

        The owner is None where nobody knows whose document was deleted. A document that gets
        another owner is deleted for the old one.
        """
        position, deleted = change.position["_data"], change.operation == "delete"
        before = (change.before or {}).get(owner)
        after = (change.document or {}).get(owner)
        if deleted and before is None:
            yield None, self.resync(position)
        elif after is not None:
            shown = live(change.document or {})
            yield after, self._change(change, position, change.operation, shown)
        if before not in (None, after) and (deleted or after is not None):
            yield before, self._change(change, position, "delete", None)

    def _change(self, change: Change[Document], position: str, kind: str, shown: Any) -> Event:
        about = {
            "change": "update" if kind == "replace" else kind,
            "collection": change.collection,
            "document_id": change.id.hex() if isinstance(change.id, bytes) else change.id,
            "document": shown,
        }
        return self._event(position, about)

    def _event(self, position: str, about: Document) -> Event:
        event_id = write_cursor([position], _PURPOSE, self._secret)
        return Event(position, event_id, dumps({**about, "event_id": event_id}))
