from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from unittest import IsolatedAsyncioTestCase, TestCase

from pydantic import TypeAdapter, ValidationError

from indico.error import MAX_DEPTH, InvalidArgument
from indico.service.address_entry import (
    MAX_BYTES,
    MAX_PROBLEMS,
    Entry,
    check_entry,
    check_off_loop,
)

BILL = {
    "full_name": "Bill Gates",
    "addresses": [
        {
            "kind": "work",
            "building_name": "Microsoft",
            "unit_number": 1,
            "street_number": "1A",
            "street_name": "Microsoft Way",
            "locality": "Redmond",
            "city": "Redmond",
            "province": "Washington",
            "pincode": "98052-8300",
            "country": "USA",
        }
    ],
    "phone_numbers": [
        {"kind": "work", "country_code": 1, "area_code": 425, "local_number": 8828080}
    ],
    "fax_numbers": [],
    "emails": [{"kind": "work", "email": "billg@example.com"}],
}


def nested(depth: int) -> dict[str, Any]:
    """Return objects and lists in one another, `depth` deep."""
    value: Any = {} if depth % 2 else []
    for level in reversed(range(1, depth)):
        value = {"a": value} if level % 2 else [value]
    assert isinstance(value, dict)
    return value


class EntryTest(TestCase):
    def problems(self, entry: Any) -> dict[str, str]:
        """Return the reason of each problem by its path."""
        with self.assertRaises(InvalidArgument) as raised:
            check_entry(entry)
        return {detail["path"]: detail["reason"] for detail in raised.exception.details}


class FaithfulTest(EntryTest):
    """Values that MongoDB, or JSON, would not give back unchanged."""

    def test_valid(self) -> None:
        numbers = [0, -(2**63), 2**63 - 1, 0.5, -0.0, 1e308, True, False, None]
        for entry in ({}, BILL, {"a b": "\0", "ü$": numbers, "_id": {"x": [{}, []]}}):
            check_entry(entry)

    def test_keys(self) -> None:
        check_entry({"\n": 1, "a\n": 2})
        entry = {"$set": 1, "a": [{"": 2, "b": {"c.d": 3}}], "e\0": 4, "f$": 5}
        self.assertEqual(
            self.problems(entry),
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
        entry = {"in": [{name: value for name, (value, _) in wrong.items()}]}
        self.assertEqual(
            self.problems(entry), {f"in.0.{name}": reason for name, (_, reason) in wrong.items()}
        )

    def test_text(self) -> None:
        self.assertEqual(self.problems({"a": "\ud800"}), {"": "not_json"})
        self.assertEqual(self.problems({"a": {1: 2}}), {"": "not_json"})

    def test_depth(self) -> None:
        check_entry(nested(MAX_DEPTH))
        self.assertEqual(list(self.problems(nested(MAX_DEPTH + 1)).values()), ["too_deep"])
        self.assertEqual(list(self.problems(nested(5000)).values()), ["too_deep"])

    def test_size(self) -> None:
        entry = {"a": "x" * (MAX_BYTES - len('{"a":""}'))}
        self.assertEqual(len(json.dumps(entry, separators=(",", ":"))), MAX_BYTES)
        check_entry(entry)
        entry["a"] += "x"
        self.assertEqual(self.problems(entry), {"": "too_large"})

    def test_count(self) -> None:
        check_entry({"a": [[1] * 100] * 490})
        self.assertEqual(self.problems({"a": [[1] * 100] * 500}), {"": "too_many"})

    def test_many_problems_make_a_small_answer(self) -> None:
        entry = {"k" * 100_000: {f"${number}": 1 for number in range(40_000)}}
        with self.assertRaises(InvalidArgument) as raised:
            check_entry(entry)
        self.assertLessEqual(len(raised.exception.details), MAX_PROBLEMS)
        self.assertLess(len(json.dumps(raised.exception.details)), 60_000)


class KnownFieldsTest(EntryTest):
    def test_not_there(self) -> None:
        check_entry({"addresses": [{}], "emails": [{}], "phone_numbers": [{}], "fax_numbers": [{}]})

    def test_wrong(self) -> None:
        wrong: dict[str, Any] = {
            "name": None,
            "full_name": 5,
            "addresses": [{"kind": "office"}, {"unit_number": 1.5, "city": ["x"]}],
            "phone_numbers": {"kind": "home"},
            "fax_numbers": [{"country_code": True, "kind": 1}],
            "emails": [{"email": "nobody"}, "a@example.com"],
        }
        self.assertEqual(
            set(self.problems(wrong)),
            {
                *("name", "full_name"),
                *("addresses.0.kind", "addresses.1.unit_number", "addresses.1.city"),
                *("phone_numbers", "fax_numbers.0.country_code", "fax_numbers.0.kind"),
                *("emails.0.email", "emails.1"),
            },
        )

    def test_unknown_fields_may_hold_anything(self) -> None:
        check_entry({"nickname": 5, "emails": [{"email": "a@example.com", "verified": {"x": []}}]})

    def test_too_many(self) -> None:
        check_entry({"emails": [{}] * 100})
        self.assertEqual(self.problems({"emails": [{}] * 101}), {"emails": "too_long"})

    def test_an_entry_that_was_stored(self) -> None:
        """MongoDB's driver has a class of its own for large integers."""

        class Int64(int):
            pass

        check_entry({"a": Int64(2**40), "addresses": [{"street_number": Int64(2**40)}]})


class TypeTest(TestCase):
    """`Entry`, for `type_check`."""

    def test_it_is_passed_on_as_it_was_sent(self) -> None:
        sent = {"emails": [{"email": "Ada@EXAMPLE.com"}], "b": 1.0, "a": 1}
        checked = TypeAdapter(Entry).validate_json(json.dumps(sent), strict=True)
        self.assertEqual(json.dumps(checked), json.dumps(sent))

    def test_paths_go_on(self) -> None:
        with self.assertRaises(ValidationError) as raised:
            TypeAdapter(dict[str, Entry]).validate_python({"x": {"a": {"$b": 1}}})
        self.assertEqual(raised.exception.errors()[0]["loc"][:2], ("x", "a"))


class OffLoopTest(IsolatedAsyncioTestCase, EntryTest):
    """`check_off_loop`, by small and by large entries."""

    async def test_valid(self) -> None:
        for count in (1, 10_000):
            await check_off_loop({**BILL, "notes": ["x"] * count})

    async def test_wrong(self) -> None:
        for count in (1, 10_000):
            for wrong, path in (({"$a": 1}, "$a"), ({"a": 2**70}, "a")):
                with self.assertRaises(InvalidArgument) as raised:
                    await check_off_loop({**wrong, "notes": ["x"] * count})
                self.assertEqual([d["path"] for d in raised.exception.details], [path])
