"""Cursors: a client gets on only with a cursor that this server wrote, for the same list."""

from __future__ import annotations

from unittest import TestCase

from pydantic import SecretStr

from ...error import WrongFieldType
from ...http.cursor import Scalar, read_cursor, write_cursor

SECRET = SecretStr("secret")


class CursorTest(TestCase):
    def test_valid(self) -> None:
        positions: list[list[Scalar]] = [["a", 1], [None, True, 0.5], []]
        for position in positions:
            cursor = write_cursor(position, "list", SECRET)
            self.assertEqual(read_cursor(cursor, "list", SECRET), tuple(position))

    def test_wrong(self) -> None:
        mine = write_cursor(["a"], "list", SECRET)
        theirs = write_cursor(["a"], "list", SecretStr("other"))
        other_list = write_cursor(["a"], "other list", SECRET)
        other = "A" if mine[-9] != "A" else "B"
        for cursor in (theirs, other_list, mine[:-9] + other + mine[-8:], mine[1:], "x", "", "a.b"):
            with self.assertRaisesRegex(WrongFieldType, "take a next_cursor as it was answered"):
                read_cursor(cursor, "list", SECRET)
