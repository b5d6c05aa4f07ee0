"""JSON documents: what MongoDB would change, and merge patches."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from unittest import TestCase

from pydantic import ValidationError

from ..error import MAX_DETAILS
from ..json_document import MAX_BYTES, check_document, merge_patch, size_of
from ..validation import MAX_DEPTH, as_invalid_argument


def nested(depth: int) -> dict[str, Any]:
    """Return objects and lists in one another, `depth` deep."""
    value: Any = {} if depth % 2 else []
    for level in reversed(range(1, depth)):
        value = {"a": value} if level % 2 else [value]
    assert isinstance(value, dict)
    return value


class CheckTest(TestCase):
    """Values that MongoDB, or JSON, would not give back unchanged."""

    def problems(self, document: Any) -> dict[str, str]:
        """Return the reason of each problem by its path."""
        with self.assertRaises(ValidationError) as raised:
            check_document(document)
        details = as_invalid_argument(raised.exception).details
        return {detail["path"]: detail["reason"] for detail in details}

    def test_valid(self) -> None:
        numbers = [0, -(2**63), 2**63 - 1, 0.5, -0.0, 1e308, True, False, None]
        for document in ({}, {"a b": "\0", "ü$": numbers, "_id": {"x": [{}, []]}}):
            check_document(document)

    def test_keys(self) -> None:
        check_document({"\n": 1, "a\n": 2})
        document = {"$set": 1, "a": [{"": 2, "b": {"c.d": 3}}], "e\0": 4, "f$": 5}
        self.assertEqual(
            self.problems(document),
            {"$set": "key", "a.0": "key", "a.0.b.c.d": "key", "e\0": "key"},
        )

    def test_values(self) -> None:
        wrong: dict[str, tuple[Any, str]] = {
            "large": (2**63, "int_too_long"),
            "small": (-(2**63) - 1, "int_too_long"),
            "nan": (math.nan, "not_json"),
            "infinity": (math.inf, "not_json"),
            "time": (datetime.now(UTC), "not_json"),
            "tuple": ((1, 2), "not_json"),
        }
        document = {"in": [{name: value for name, (value, _) in wrong.items()}]}
        self.assertEqual(
            self.problems(document), {f"in.0.{name}": reason for name, (_, reason) in wrong.items()}
        )

    def test_text(self) -> None:
        self.assertEqual(self.problems({"a": "\ud800"}), {"": "not_json"})
        self.assertEqual(self.problems({"a": {1: 2}}), {"": "not_json"})

    def test_depth(self) -> None:
        check_document(nested(MAX_DEPTH))
        self.assertEqual(list(self.problems(nested(MAX_DEPTH + 1)).values()), ["too_deep"])
        self.assertEqual(list(self.problems(nested(5000)).values()), ["too_deep"])

    def test_size(self) -> None:
        document = {"a": "x" * (MAX_BYTES - len('{"a":""}'))}
        self.assertEqual(len(json.dumps(document, separators=(",", ":"))), MAX_BYTES)
        check_document(document)
        document["a"] += "x"
        self.assertEqual(self.problems(document), {"": "too_large"})

    def test_count(self) -> None:
        check_document({"a": [[1] * 100] * 490})
        self.assertEqual(self.problems({"a": [[1] * 100] * 500}), {"": "too_many"})

    def test_many_problems_make_a_small_answer(self) -> None:
        document = {"k" * 100_000: {f"${number}": 1 for number in range(40_000)}}
        with self.assertRaises(ValidationError) as raised:
            check_document(document)
        error = as_invalid_argument(raised.exception)
        self.assertLessEqual(len(error.details), MAX_DETAILS)
        self.assertLess(len(json.dumps(error.details)), 60_000)


class SizeTest(TestCase):
    def test_valid(self) -> None:
        self.assertEqual(size_of({"a": [1, "ü"]}), len('{"a":[1,"ü"]}'.encode()))

    def test_no_json(self) -> None:
        for value in (object(), "\ud800", {1: 2}):
            self.assertGreater(size_of({"a": value}), MAX_BYTES)


class MergePatchTest(TestCase):
    def test_examples_of_the_rfc(self) -> None:
        """RFC 7396, appendix A."""
        for target, change, result in (
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            (["a", "b"], ["c", "d"], ["c", "d"]),
            ({"a": "b"}, ["c"], ["c"]),
            ({"a": "foo"}, None, None),
            ({"a": "foo"}, "bar", "bar"),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ):
            self.assertEqual(merge_patch(target, change), result)

    def test_the_target_is_left_alone(self) -> None:
        target: dict[str, Any] = {"a": {"b": 1}}
        merge_patch(target, {"a": {"b": 2}})
        self.assertEqual(target, {"a": {"b": 1}})
