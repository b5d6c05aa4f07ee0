from __future__ import annotations

import json
from typing import Any
from unittest import IsolatedAsyncioTestCase, TestCase

from pydantic import TypeAdapter, ValidationError

from indico.error import InvalidArgument
from indico.service.address_entry import Entry, check_entry, check_off_loop

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


class EntryTest(TestCase):
    def problems(self, entry: Any) -> dict[str, str]:
        """Return the reason of each problem by its path."""
        with self.assertRaises(InvalidArgument) as raised:
            check_entry(entry)
        return {detail["path"]: detail["reason"] for detail in raised.exception.details}


class FaithfulTest(EntryTest):
    def test_valid(self) -> None:
        check_entry(BILL)
        check_entry({"_id": {"x": [{}, []]}})

    def test_wrong(self) -> None:
        """An entry is a document for MongoDB, and its problems come before wrong known fields."""
        entry = {"a": [{"$set": 1}], "b": 2**70, "name": 5}
        self.assertEqual(self.problems(entry), {"a.0.$set": "key", "b": "int_too_long"})


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
