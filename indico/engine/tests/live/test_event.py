"""Events of changes, and their ids."""

from __future__ import annotations

import json
from typing import Any
from unittest import TestCase

from bson import ObjectId
from pydantic import SecretStr

from ...live.event import EventWriter
from ...mongo.change_stream import Change

ADA, EVE = ObjectId(), ObjectId()
WRITER = EventWriter(SecretStr("a secret of the tests"))


def owned(owner: ObjectId) -> dict[str, Any]:
    return {"_id": 1, "user_id": owner, "secret": "hidden"}


class ChangeTest(TestCase):
    def told(
        self, operation: Any, after: ObjectId | None, before: ObjectId | None, id: Any = 1
    ) -> list[Any]:
        """Return owner, kind and document of each event of a change."""
        position = {"_data": "82AB"}
        document = owned(after) if after else None
        images = {"user_id": before} if before else None
        change: Change[dict[str, Any]] = Change(operation, id, document, position, "memos", images)
        events = WRITER.of_change(change, "user_id", lambda each: {"id": each["_id"]})
        return [(owner, json.loads(event.text)) for owner, event in events]

    def kinds(self, *change: Any) -> list[Any]:
        return [
            (owner, about.get("change"), about.get("document"))
            for owner, about in self.told(*change)
        ]

    def test_each_operation(self) -> None:
        shown = {"id": 1}
        self.assertEqual(self.kinds("insert", ADA, None), [(ADA, "insert", shown)])
        self.assertEqual(self.kinds("update", ADA, ADA), [(ADA, "update", shown)])
        self.assertEqual(self.kinds("replace", ADA, None), [(ADA, "update", shown)])
        self.assertEqual(self.kinds("delete", None, ADA), [(ADA, "delete", None)])

    def test_another_owner(self) -> None:
        told = [(EVE, "update", {"id": 1}), (ADA, "delete", None)]
        self.assertEqual(self.kinds("update", EVE, ADA), told)

    def test_deleted_since(self) -> None:
        """The deletion is told by its own change."""
        self.assertEqual(self.told("update", None, ADA), [])
        self.assertEqual(self.told("update", None, None), [])

    def test_a_deletion_of_nobody_knows_what(self) -> None:
        ((owner, about),) = self.told("delete", None, None)
        self.assertEqual((owner, about["resync"]), (None, True))

    def test_ids(self) -> None:
        for its_id, shown in ((b"\x01\xff", "01ff"), (ADA, str(ADA)), ("a", "a")):
            ((_, about),) = self.told("insert", ADA, None, its_id)
            self.assertEqual(about["document_id"], shown)
            self.assertEqual(WRITER.position_of(about["event_id"]), "82AB")
            self.assertEqual(about["collection"], "memos")


class IdTest(TestCase):
    def test_wrong(self) -> None:
        foreign = EventWriter(SecretStr("another secret here")).ready("82AB").id
        for wrong in ("", "82AB", foreign, WRITER.ready("82AB").id[:-1]):
            self.assertIsNone(WRITER.position_of(wrong), wrong)
