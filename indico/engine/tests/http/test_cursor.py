"""Cursors: a client gets on only with a cursor that this server wrote, for the same list."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast
from unittest import TestCase

from itsdangerous import URLSafeSerializer
from pydantic import SecretStr

from ...error import WrongFieldType
from ...http.cursor import read_cursor, write_cursor
from ...mongo.documents import decode, encode
from ...mongo.driver import ObjectId

SECRET = SecretStr("secret")


class CursorTest(TestCase):
    def test_valid(self) -> None:
        positions: list[list[Any]] = [["a", 1], [None, True, 0.5], []]
        for position in positions:
            cursor = write_cursor(position, "list", SECRET)
            self.assertEqual(read_cursor(cursor, "list", SECRET), position)

    def test_values_of_mongodb(self) -> None:
        position = [ObjectId(), datetime(2026, 1, 2, tzinfo=UTC), b"\x00", Decimal("1.50")]
        cursor: Any = write_cursor(position, "list", SECRET)
        self.assertEqual(read_cursor(cursor, "list", SECRET), position)

    def test_wrong(self) -> None:
        mine = write_cursor(["a"], "list", SECRET)
        theirs = write_cursor(["a"], "list", SecretStr("other"))
        other_list = write_cursor(["a"], "other list", SECRET)
        other = "A" if mine[-9] != "A" else "B"
        for cursor in (theirs, other_list, mine[:-9] + other + mine[-8:], mine[1:], "x", "", "a.b"):
            with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
                read_cursor(cursor, "list", SECRET)

    def test_no_list(self) -> None:
        self.assertEqual(read_cursor(self.sign({"": ["a", 1]}), "list", SECRET), ["a", 1])
        documents: list[Any] = [{"": 5}, {"": "ab"}, {"": None}, {"": {}}, {"a": ["a", 1]}]
        for document in documents:
            with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
                read_cursor(self.sign(document), "list", SECRET)

    def test_an_older_version(self) -> None:
        signer = URLSafeSerializer("secret", "list", signer_kwargs={"digest_method": sha256})
        with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
            read_cursor(signer.dumps(["a", 1]), "list", SECRET)

    def sign(self, document: Any) -> str:
        form = SimpleNamespace(dumps=encode, loads=decode)
        hashing = {"digest_method": sha256}
        signer = URLSafeSerializer("secret", "list", serializer=form, signer_kwargs=hashing)
        return cast(bytes, signer.dumps(document)).decode()
