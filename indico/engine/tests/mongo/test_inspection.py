"""The doctor's findings on indexes, compared with what MongoDB does with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from pymongo import IndexModel, MongoClient
from pymongo.collation import Collation
from pymongo.errors import OperationFailure

from ...mongo.collection import Collection, Document
from ...mongo.inspection import ahead, compare
from ..server_test import mongodb_uri, test_database

INDEXES = [
    IndexModel("a"),
    IndexModel([("a", -1)]),
    IndexModel([("a", -1)], name="a_1"),
    IndexModel("c", name="a_1"),
    IndexModel("a", name="b"),
    IndexModel("a", unique=False),
    IndexModel("a", unique=True),
    IndexModel("a", unique=True, name="b"),
    IndexModel("a", expireAfterSeconds=0),
    IndexModel("a", expireAfterSeconds=5),
    IndexModel("a", expireAfterSeconds=0, name="b"),
    IndexModel("a", sparse=True),
    IndexModel("a", sparse=True, name="b"),
    IndexModel("a", partialFilterExpression={"a": {"$gt": 1}}),
    IndexModel("a", partialFilterExpression={"a": {"$gt": 1}}, name="b"),
    IndexModel("a", hidden=True),
    IndexModel("a", collation=Collation("en")),
    IndexModel("a", collation=Collation("en", strength=2)),
    IndexModel("a", collation=Collation("en"), name="b"),
    IndexModel("a", collation=Collation("simple")),
    IndexModel([("a", 1), ("b", 1)]),
    IndexModel([("b", 1), ("a", 1)]),
    IndexModel([("a", "text")]),
    IndexModel([("a", "text"), ("b", "text")]),
    IndexModel([("a", "2dsphere")]),
    IndexModel([("a", "hashed")]),
    IndexModel([("$**", 1)]),
    IndexModel([("$**", 1)], wildcardProjection={"a": 1}),
]


class CompareTest(TestCase):
    integration = True

    def setUp(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri(), w=1, journal=False)
        self.addCleanup(client.close)
        self.database = client[test_database(self)]
        self.addCleanup(client.drop_database, self.database.name)

    def test_as_mongodb_does(self) -> None:
        """Compare for each pair of an existing index and a declared one."""
        for there in INDEXES:
            self.database.things.drop()
            self.database.things.create_indexes([there])
            existing = [dict(index) for index in self.database.things.list_indexes()]
            for declared in INDEXES:
                pair = f"{there.document} {declared.document}"
                said = self.said(declared, existing)
                self.assertEqual(said, self.done(declared), pair)

    def said(self, declared: IndexModel, existing: list[dict[str, Any]]) -> str:
        with patch.object(Collection, "declared", []):
            missing, conflicting = compare([(Collection("things", Document, declared), existing)])
        return "missing" if missing else "conflicting" if conflicting else "there"

    def done(self, declared: IndexModel) -> str:
        """Return what making `declared` does, and undo it."""
        make = {"createIndexes": "things", "indexes": [declared.document], "writeConcern": {"w": 1}}
        try:
            made = self.database.command(make)
        except OperationFailure:
            return "conflicting"
        if made["numIndexesBefore"] == made["numIndexesAfter"]:
            return "there"
        self.database.things.drop_index(declared.document["name"])
        return "missing"


class AheadTest(TestCase):
    def test_no_more_than_the_round_trip_explains(self) -> None:
        before = datetime.now(UTC)
        after = before + timedelta(seconds=2)
        for seconds, offset in ((0, 0), (1, 0), (2, 0), (5, 3), (-4, -4)):
            theirs = before + timedelta(seconds=seconds)
            self.assertEqual(ahead(theirs, before, after), offset)
