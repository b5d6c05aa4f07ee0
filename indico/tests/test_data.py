"""The examples of docs/data.md, run as they stand there."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from tornado.testing import gen_test

from indico import db
from indico.error import Conflict, ServerError
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest

PAGE = (ROOT / "docs" / "data.md").read_text()


def examples(section: str, language: str = "python") -> list[str]:
    """Return the blocks of a section that are written in `language`."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(rf"^ *```{language}\n.*?```", text, re.S | re.M)
    return [textwrap.dedent(block).split("\n", 1)[1].removesuffix("```") for block in found]


class TransactionsTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        before = len(db.Collection.declared)
        self.names: dict[str, Any] = {}
        exec("\n".join(examples("Transactions")), self.names)
        self.addCleanup(db.Collection.declared.__delitem__, slice(before, None))

    @gen_test
    async def test_valid(self) -> None:
        notes, kept, archive = (self.names[name] for name in ("NOTES", "ARCHIVE", "archive"))
        note = {"_id": 1, "text": "one"}
        await notes.insert(note)
        await archive(note)
        self.assertEqual((await notes.find({}), await kept.find({})), ([], [note]))
        await notes.insert(note)
        with self.assertRaises(Conflict):
            await archive(note)
        self.assertEqual((await notes.find({}), await kept.find({})), ([note], [note]))

    @gen_test
    async def test_what_cannot_be_undone(self) -> None:
        await self.names["send"]({})
        with self.assertRaisesRegex(ServerError, "Can't send a mail in a transaction"):
            await db.in_transaction(lambda: self.names["send"]({}))
