"""Address books by REST and by actions: any body, and any sequence of requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId
from hypothesis import given, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from indico.engine.tests.mongo.round_trip_test import property_settings
from indico.tests.routes.address_bodies import (
    MAX_BODY_BYTES,
    MAX_BYTES,
    REFUSED,
    WRONG_KNOWN,
    Judgement,
    bodies,
    each_body,
    emails,
    judge_entry,
    judge_json,
    known_entries,
    merged,
    nested,
    patched,
    wide,
)
from indico.tests.routes.address_books import Answer, Book, BooksTest

NOT_FOUND: tuple[Any, ...] = ("not_found", "There is no such address.", [])


class BodyTest(BooksTest):
    """Bodies: an accepted one is kept unchanged, and a refused one changes nothing."""

    def setUp(self) -> None:
        super().setUp()
        books = (self.public, self.ada)
        self.there = [(book, book.create(b'{"is":"there"}').id) for book in books]
        self.entries = self.count()

    def judge(self, answer: Answer, judgement: Judgement, body: bytes) -> Judgement:
        refusal = 413 if len(body) > MAX_BODY_BYTES else 400
        self.assertTrue(answer.done or answer.status == refusal, answer)
        self.assertTrue(judgement.may or not answer.done, "should be refused")
        self.assertTrue(answer.done or not judgement.must, answer)
        return judgement

    def check_kept(self, book: Book, answer: Answer, entry: Any) -> None:
        self.assert_same(book.get(answer.id), Answer(200, answer.id, answer.version, entry))

    def check_change(
        self, book: Book, before: Answer, answer: Answer, judgement: Judgement
    ) -> None:
        if answer.done:
            self.assertEqual(answer.id, before.id)
            self.assertNotEqual(answer.version, before.version)
            self.check_kept(book, answer, judgement.value)
        else:
            self.assert_same(book.get(before.id), before)

    def check_create(self, entry: bytes) -> None:
        for book in (self.public, self.ada):
            answer = book.create(entry)
            self.entries += answer.done
            self.assertEqual(self.count(), self.entries)
            judgement = self.judge(answer, book.judge(entry), entry)
            if answer.done:
                self.check_kept(book, answer, judgement.value)


class EachBodyTest(BodyTest):
    """Bodies with one wrong value each, of all those in `AnyBodyTest`."""

    seconds = 7

    def test_create(self) -> None:
        for entry in each_body():
            self.check_create(entry)

    def test_known_fields(self) -> None:
        for entry in WRONG_KNOWN:
            self.assertEqual(self.public.create(json.dumps(entry).encode()).status, 400, entry)

    def test_patch_up_to_the_limit(self) -> None:
        book, more = self.public, b',"a":1'
        before = book.get(book.create(wide(MAX_BYTES - len(more))).id)
        for patch, done in ((b'{"aa":1}', False), (b'{"a":1}', True)):
            answer = book.patch(before.id, patch)
            self.assertEqual(answer.status, 200 if done else 400)
            self.check_change(book, before, answer, Judgement({**before.entry, "a": 1}))

    def test_depth_that_a_duplicate_hides(self) -> None:
        for depth in (64, 900, 1000, 1020, 1100):
            body = f'{{"a":{nested(depth, "1")},"a":1234567890123456789}}'
            self.assertIn(self.public.create(body.encode()).status, (201, 400), depth)


class AnyBodyTest(BodyTest):
    seconds = 10

    @property_settings(30)
    @given(bodies())
    def test_create(self, entry: bytes) -> None:
        self.check_create(entry)

    @property_settings(20)
    @given(bodies())
    def test_put(self, entry: bytes) -> None:
        for book, address_id in self.there:
            before = book.get(address_id)
            answer = book.put(address_id, entry)
            self.check_change(book, before, answer, self.judge(answer, book.judge(entry), entry))

    @property_settings(30)
    @given(patched())
    def test_patch(self, case: tuple[str, bytes]) -> None:
        entry, patch = case
        before = self.public.get(self.public.create(entry.encode()).id)
        self.assert_same(before.entry, json.loads(entry))
        answer = self.public.patch(before.id, patch)
        read = judge_json(patch)
        expected = judge_entry(merged(before.entry, read.value), read.must) if read.may else REFUSED
        self.check_change(self.public, before, answer, self.judge(answer, expected, patch))
        self.assert_same(answer.entry, expected.value if answer.done else None)

    @property_settings(20)
    @given(known_entries())
    def test_known_fields(self, case: tuple[dict[str, Any], bool]) -> None:
        entry, right = case
        body = json.dumps(entry).encode()
        for book in (self.public, self.ada):
            answer = book.create(body)
            self.judge(answer, Judgement(entry, may=right, must=right), body)
            if right:
                self.check_kept(book, answer, entry)
        if right:
            patched = self.public.patch(self.public.create(body).id, b'{"b":1}')
            self.assert_same(patched.entry, {**entry, "b": 1})

    @property_settings(15)
    @given(emails())
    def test_email(self, email: str) -> None:
        """An email that was accepted is accepted again."""
        entry = {"emails": [{"email": email}]}
        answer = self.public.create(json.dumps(entry).encode())
        self.assertIn(answer.status, (201, 400))
        if answer.done:
            self.assert_same(self.public.patch(answer.id, b'{"a":1}').entry, {**entry, "a": 1})


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


class AnySequenceTest(BooksTest):
    """Any sequence of requests by REST and actions: the books behave like dicts."""

    seconds = 12

    def machine(self) -> type[BooksMachine]:
        class Machine(BooksMachine):
            test = self

        return Machine

    def test_any_sequence(self) -> None:
        chosen = settings(property_settings(12), stateful_step_count=20)
        stateful.run_state_machine_as_test(self.machine(), settings=chosen)

    def test_each_name(self) -> None:
        machine = self.machine()()
        ids = [machine.create("ada", entry) for entry in RIGHT_ENTRIES]
        self.check_names(machine)
        for address_id, entry in zip(ids, reversed(RIGHT_ENTRIES), strict=True):
            machine.put("ada", address_id, entry, None)
        self.check_names(machine)

    def check_names(self, machine: BooksMachine) -> None:
        for query in QUERIES:
            for limit in (2, 50):
                machine.page_by_page("ada", query, limit, stop=0)
