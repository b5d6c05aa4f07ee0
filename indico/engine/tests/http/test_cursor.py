"""Cursors: a client gets on only with a cursor that this server wrote, for the same list."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from unittest import TestCase

from itsdangerous import URLSafeSerializer
from pydantic import SecretStr, TypeAdapter

from ...error import WrongFieldType
from ...http.cursor import Scalar, read_cursor, write_cursor

SECRET = SecretStr("secret")
ANY: TypeAdapter[tuple[Scalar, ...]] = TypeAdapter(tuple[Scalar, ...])
SHAPE = TypeAdapter(tuple[str, int])


class CursorTest(TestCase):
    def test_valid(self) -> None:
        positions: list[list[Scalar]] = [["a", 1], [None, True, 0.5], []]
        for position in positions:
            cursor = write_cursor(position, "list", SECRET)
            found = read_cursor(cursor, "list", SECRET, ANY)
            self.assertEqual(found, tuple(position))

    def test_wrong(self) -> None:
        mine = write_cursor(["a"], "list", SECRET)
        theirs = write_cursor(["a"], "list", SecretStr("other"))
        other_list = write_cursor(["a"], "other list", SECRET)
        other = "A" if mine[-9] != "A" else "B"
        for cursor in (theirs, other_list, mine[:-9] + other + mine[-8:], mine[1:], "x", "", "a.b"):
            with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
                read_cursor(cursor, "list", SECRET, ANY)

    def test_another_shape(self) -> None:
        hashing = {"digest_method": sha256}
        signer = URLSafeSerializer("secret", "list", serializer=json, signer_kwargs=hashing)
        self.assertEqual(read_cursor(signer.dumps(["a", 1]), "list", SECRET, SHAPE), ("a", 1))
        wrong: list[Any] = [5, "ab", None, {}, [], ["a"], ["a", 1, 2], [1, "a"], ["\ud800", 1]]
        for position in wrong:
            with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
                read_cursor(signer.dumps(position), "list", SECRET, SHAPE)
