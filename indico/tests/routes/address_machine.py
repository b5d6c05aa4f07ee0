"""Machine that makes any sequence of requests to address books, and knows what they must hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from indico.tests.routes.address_books import Answer, Book, BooksTest
from indico.tests.routes.address_judge import merged

NOT_FOUND: tuple[Any, ...] = ("not_found", "There is no such address.", [])

# Names, and what they all are without case and the many ways to write one character.
FOLDED = {
    **{"Ada": "ada", "ADA": "ada", "adA L": "ada l", "Fi": "fi", "ﬁn": "fin"},
    **{"Ädam": "a\u0308dam", "ÄDAM": "a\u0308dam", "A\u0308DA": "a\u0308da"},
    **{"Straße": "strasse", "STRASSE": "strasse"},
    **{name: name for name in ("", "\ud7ffa", "\U0010ffff", "a\U0010ffffa")},
    **{"X" * 200: "x" * 200, "x" * 200 + "b": "x" * 200, "x" * 200 + "a": "x" * 200},
}
QUERIES = {
    **{"": "", "A": "a", "aDa": "ada", "ä": "a\u0308", "A\u0308D": "a\u0308d", "a.": "a."},
    **{"ß": "ss", "Straß": "strass", "ﬁ": "fi", "X" * 100: "x" * 100},
    **{query: query for query in ("\ud7ff", "\U0010ffff", "a\U0010ffff")},
}
RIGHT_ENTRIES: list[dict[str, Any]] = [
    *({"name": name} for name in FOLDED),
    *({"note": {"a": 1}, "name": "", "full_name": name} for name in FOLDED),
    {"name": "Ada", "full_name": "Fi"},
]
WRONG_ENTRIES = [b'{"name":1}', b'{"a.b":1}', b'{"a":18446744073709551616}', b"[]", b"{"]
PATCHES: list[dict[str, Any]] = [
    *({"name": name} for name in ("ÄDAM", "ADA", None)),
    *({"note": note} for note in (2, None, {"b": [None]}, {"a": None, "c": {"d": None}})),
    {},
]
UNKNOWN_VERSION = "0" * 16


@dataclass(frozen=True)
class Condition:
    """Condition of a change: the entry has its current version, or an old one."""

    current: bool
    header: str  # of If-Match


CONDITIONS = [
    *(None, None, None),
    *(Condition(True, header) for header in ('"{}"', 'W/"{}"', '"", "{}"', "*")),
    *(Condition(False, header) for header in ('"{}"', 'W/"{}"', '"{}", "0000000000000000", ""')),
]


@dataclass(frozen=True)
class Place:
    """Place in a list, behind the entry at `position`."""

    book: str
    query: str | None
    position: tuple[str, ...]
    cursor: str


class BooksMachine(RuleBasedStateMachine):
    """Machine that changes the books, and a dict for each book in the same way."""

    ids: Bundle[str] = Bundle("ids")
    places: Bundle[Place] = Bundle("places")
    books = st.sampled_from(["public", "ada", "eve"])
    entries = st.sampled_from(RIGHT_ENTRIES)
    conditions = st.sampled_from(CONDITIONS)
    queries = st.none() | st.sampled_from(list(QUERIES))
    limits = st.sampled_from([1, 2, 3, 50])

    test: ClassVar[BooksTest]

    def __init__(self) -> None:
        super().__init__()
        test = self.test
        test.empty()
        self.faces: dict[str, Book] = {"public": test.public, "ada": test.ada, "eve": test.eve}
        self.kept: dict[str, dict[str, Any]] = {name: {} for name in self.faces}
        self.versions: dict[str, list[str]] = {}
        self.changed = {*self.faces}
        self.etag = "none yet"

    @initialize(target=ids)
    def somewhere_else(self) -> str:
        return self.named(str(ObjectId()))

    @initialize(target=ids, book=books, several=st.lists(entries, min_size=6, max_size=12))
    def fill(self, book: str, several: list[dict[str, Any]]) -> Any:
        return multiple(*(self.create(book, entry) for entry in several))

    @rule(target=ids, book=books, entry=entries)
    def create(self, book: str, entry: dict[str, Any]) -> str:
        answer = self.faces[book].create(json.dumps(entry).encode())
        self.test.assertEqual(answer.status, 201, answer)
        self.keep(book, self.named(answer.id), answer.version, entry)
        return answer.id

    @rule(book=books, address_id=ids)
    def get(self, book: str, address_id: str) -> None:
        answer = self.faces[book].get(address_id)
        if self.is_there(book, address_id, answer):
            kept = self.kept[book][address_id]
            self.test.assert_same(answer, Answer(200, address_id, self.version(address_id), kept))

    @rule(book=books, address_id=ids, entry=entries, condition=conditions)
    def put(
        self, book: str, address_id: str, entry: dict[str, Any], condition: Condition | None
    ) -> None:
        version = self.sent(book, address_id, condition)
        answer = self.faces[book].put(address_id, json.dumps(entry).encode(), version)
        if self.is_changed(book, address_id, condition, answer):
            self.keep(book, address_id, answer.version, entry)

    @rule(address_id=ids, patch=st.sampled_from(PATCHES), condition=conditions)
    def patch(self, address_id: str, patch: dict[str, Any], condition: Condition | None) -> None:
        version = self.sent("public", address_id, condition)
        answer = self.test.public.patch(address_id, json.dumps(patch).encode(), version)
        if self.is_changed("public", address_id, condition, answer):
            entry = merged(self.kept["public"][address_id], patch)
            self.test.assert_same(answer.entry, entry)
            self.keep("public", address_id, answer.version, entry)

    @rule(book=books, address_id=ids, condition=conditions)
    def delete(self, book: str, address_id: str, condition: Condition | None) -> None:
        version = self.sent(book, address_id, condition)
        answer = self.faces[book].delete(address_id, version)
        if self.is_changed(book, address_id, condition, answer):
            del self.kept[book][address_id]
            self.changed.add(book)

    @rule(book=books, address_id=ids, entry=st.sampled_from(WRONG_ENTRIES))
    def refuse(self, book: str, address_id: str, entry: bytes) -> None:
        face = self.faces[book]
        for answer in (face.create(entry), face.put(address_id, entry)):
            self.test.assertEqual(answer.status, 400, answer)

    @rule(target=places, book=books, query=queries, limit=limits, stop=st.integers(0, 5))
    def page_by_page(self, book: str, query: str | None, limit: int, stop: int) -> Any:
        """Read pages to the end; return a place at which `next_page` may go on."""
        places = [self.page(book, None if book == "public" else query, limit, None)]
        while places[-1] is not None:
            places.append(self.page(book, places[-1].query, limit, places[-1]))
        return places[stop] if stop < len(places) - 1 else multiple()

    @rule(place=places, limit=limits)
    def next_page(self, place: Place, limit: int) -> None:
        self.page(place.book, place.query, limit, place)

    @rule(place=places, book=books, query=queries)
    def page_of_another_list(self, place: Place, book: str, query: str | None) -> None:
        query = None if book == "public" else query
        status, _ = self.faces[book].page(5, place.cursor, query)
        same = (book, query) == (place.book, place.query)
        self.test.assertEqual(status, 200 if same else 400)

    @invariant()
    def all_that_is_there(self) -> None:
        self.whole_list()
        for book in self.changed:
            self.page(book, None, 1000, None)
        self.test.assertEqual(self.test.count(), sum(map(len, self.kept.values())))
        self.changed = set()

    def whole_list(self) -> None:
        """Check the whole list, whose ETag changes with the book, and only then."""
        answer = self.test.fetch("/addresses", headers={"If-None-Match": self.etag})
        if "public" in self.changed:
            self.test.assertNotEqual(answer.headers["ETag"], self.etag)
            listed = [(position[-1], entry) for position, entry in self.rows("public", None)]
            self.test.assert_same(json.loads(answer.body), dict(listed))
        self.test.assertEqual(answer.code, 200 if "public" in self.changed else 304)
        self.etag = answer.headers["ETag"]

    def page(self, book: str, query: str | None, limit: int, after: Place | None) -> Place | None:
        status, page = self.faces[book].page(limit, after.cursor if after else None, query)
        self.test.assertEqual(status, 200, page)
        rows = self.rows(book, query)
        rest = rows if after is None else [row for row in rows if row[0] > after.position]
        self.test.assert_same(page["items"], [self.item(book, row) for row in rest[:limit]])
        if len(rest) <= limit:
            self.test.assertIsNone(page["next_cursor"])
            return None
        return Place(book, query, rest[limit - 1][0], page["next_cursor"])

    def rows(self, book: str, query: str | None) -> list[tuple[tuple[str, ...], Any]]:
        """Return the entries in order, each with its position: its id, or its name and id."""
        entries = self.kept[book].items()
        if query is None:
            return sorted(((address_id,), entry) for address_id, entry in entries)
        named = [((_folded_name(entry), address_id), entry) for address_id, entry in entries]
        return sorted(row for row in named if row[0][0].startswith(QUERIES[query]))

    def item(self, book: str, row: tuple[tuple[str, ...], Any]) -> dict[str, Any]:
        (*_, address_id), entry = row
        if book == "public":
            return {"id": address_id, "entry": entry}
        return {"id": address_id, "version": self.version(address_id), "entry": entry}

    def is_there(self, book: str, address_id: str, answer: Answer) -> bool:
        """Return whether the entry is in the book; if not, check that `answer` tells no more."""
        if address_id in self.kept[book]:
            return True
        self.test.assertEqual((answer.status, answer.error), (404, NOT_FOUND))
        return False

    def is_changed(
        self, book: str, address_id: str, condition: Condition | None, answer: Answer
    ) -> bool:
        if not self.is_there(book, address_id, answer):
            return False
        right = condition is None or condition.current
        self.test.assertEqual(answer.done, right, answer)
        self.test.assertEqual(answer.status == 412, not right, answer)
        return right

    def named(self, address_id: str) -> str:
        self.versions[address_id] = [UNKNOWN_VERSION, UNKNOWN_VERSION]
        return address_id

    def version(self, address_id: str) -> str:
        return self.versions[address_id][-1]

    def sent(self, book: str, address_id: str, condition: Condition | None) -> str | None:
        if condition is None:
            return None
        version = self.versions[address_id][-1 if condition.current else -2]
        return condition.header.format(version) if book == "public" else version

    def keep(self, book: str, address_id: str, version: str, entry: Any) -> None:
        self.test.assertNotIn(version, self.versions[address_id])
        self.versions[address_id].append(version)
        self.kept[book][address_id] = entry
        self.changed.add(book)


def _folded_name(entry: dict[str, Any]) -> str:
    return FOLDED[entry.get("name") or entry.get("full_name") or ""]
