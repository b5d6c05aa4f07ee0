"""`explain` finds an order exactly where there is one."""

from __future__ import annotations

import unittest
from typing import Any

from ...error import Duplicate
from ...mongo.collection import Document
from .linearizability import NEVER, Record, explain
from .model import Call, State, encode, outcome

ONE: Document = {"_id": 1, "key": 1}
CHANGED: Document = {**ONE, "n": 1}


def call(method: str, *arguments: Any) -> Call:
    return Call(method, arguments)


def record(start: int, end: float, made: Call, result: object = None) -> Record:
    return Record(made, start, end, outcome(result) if end < NEVER else None)


def state(*documents: Document) -> State:
    return frozenset(map(encode, documents))


class ExplainTest(unittest.TestCase):
    def explained(self, before: State, after: State, *records: Record) -> None:
        self.assertTrue(explain(before, records, after))

    def refused(self, before: State, after: State, *records: Record) -> None:
        self.assertFalse(explain(before, records, after))

    def test_a_read_sees_what_ended_before_it_began(self) -> None:
        insert = record(1, 3, call("insert", ONE), 1)
        self.refused(state(), state(ONE), insert, record(4, 5, call("find_by_id", 1)))
        self.explained(state(), state(ONE), insert, record(2, 5, call("find_by_id", 1)))
        self.explained(state(), state(ONE), insert, record(2, 5, call("find_by_id", 1), ONE))
        self.refused(state(), state(), insert)

    def test_only_one_delete_finds_the_document(self) -> None:
        deletes = [record(n, 9, call("delete_by_id", 1), n < 2) for n in range(4)]
        self.refused(state(ONE), state(), *deletes)
        self.explained(state(ONE), state(), *deletes[1:])
        self.refused(state(ONE), state(ONE), *deletes[1:])

    def test_a_conflict_needs_another_document(self) -> None:
        for document in (ONE, {"_id": 2, "key": 1}, {"_id": 1.0, "key": 2}, {"_id": 2, "key": [1]}):
            insert = record(1, 2, call("insert", document), Duplicate("", ()))
            self.explained(state(ONE), state(ONE), insert)
            self.refused(state(), state(), insert)
        insert = record(1, 2, call("insert", {"_id": True, "key": 2}), Duplicate("", ()))
        self.refused(state(ONE), state(ONE), insert)

    def test_what_is_one_value_to_mongodb(self) -> None:
        for wanted, found in ((1, ONE), (1.0, ONE), (True, None), ("1", None), (2, None)):
            for made in (call("find_by_id", wanted), call("find_one", {"key": wanted})):
                self.explained(state(ONE), state(ONE), record(1, 2, made, found))
                wrong = None if found else ONE
                self.refused(state(ONE), state(ONE), record(1, 2, made, wrong))

    def test_an_update_answers_with_its_document_or_a_later_one(self) -> None:
        late: Document = {**ONE, "n": 2}
        first = call("update_by_id", 1, {"n": 1})
        second = record(3, 6, call("update_by_id", 1, {"n": 2}), late)
        self.explained(state(ONE), state(late), record(1, 5, first, CHANGED), second)
        self.explained(state(ONE), state(late), record(1, 5, first, late), second)
        self.refused(state(ONE), state(late), record(1, 2, first, late), second)
        self.refused(state(ONE), state(late), record(1, 5, first, ONE), second)
        self.refused(state(ONE), state(late), record(1, 5, first, None), second)

    def test_one_by_another_query_answers_with_its_document(self) -> None:
        late: Document = {**ONE, "n": 2}
        update = record(1, 5, call("update_one", {"key": 1}, {"n": 1}), late)
        second = record(3, 6, call("update_by_id", 1, {"n": 2}), late)
        self.refused(state(ONE), state(late), update, second)

    def test_one_without_an_end_may_happen_later(self) -> None:
        insert = record(1, NEVER, call("insert", ONE))
        self.assertEqual(explain(state(), [insert], state()), {frozenset({insert})})
        self.assertEqual(explain(state(), [insert], state(ONE)), {frozenset()})
        find = record(4, 5, call("find_by_id", 1))
        self.assertEqual(explain(state(), [insert, find], state(ONE)), {frozenset()})
        found = record(2, 3, call("find_by_id", 1), ONE)
        self.refused(state(), state(ONE), insert, found, find)
