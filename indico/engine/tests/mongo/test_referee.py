"""The referee of concurrent operations."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from .linearizability import Record
from .model import Call, outcome
from .referee import _name


class NameTest(TestCase):
    """An insert without an id that was cancelled, and whose document was deleted again."""

    covers = False

    def test_the_id_is_that_of_any_answer(self) -> None:
        document = {"_id": "made by the collection", "by": 1}
        answers: list[tuple[str, Any]] = [("find", [document]), ("find_one", document)]
        for method, answer in answers:
            insert = Record(Call("insert", ({"_id": "unknown", "by": 1},)), 1, is_unnamed=True)
            found = Record(Call(method, ({},)), 2, 3, outcome(answer))
            _name(iter([insert, found]), frozenset())
            self.assertEqual(insert.call.document["_id"], document["_id"])
