"""The stored documents that are unlike their model."""

from __future__ import annotations

from typing import Any

from tornado.testing import gen_test
from typing_extensions import TypedDict

from ...mongo.collection import Collection
from ...mongo.driver import mongodb
from ...mongo.invalid_documents import InvalidDocuments, invalid_documents
from .fail_point_test import FailPointTest


class ThingDocument(TypedDict):
    _id: int
    key: int


class InvalidDocumentsTest(FailPointTest):
    @gen_test
    async def test_valid(self) -> None:
        things = Collection("things", ThingDocument)
        Collection.declared.remove(things)
        both: list[Collection[Any]] = [things, self.things]  # the second one takes all documents
        self.assertEqual(await invalid_documents(both, mongodb), ())
        await self.stored.insert_many([{"_id": f"{n}", "key": -n} for n in range(20, 25)])
        (found,) = await invalid_documents(both, mongodb)
        self.assertEqual(found, InvalidDocuments("things", 5, ["20", "21", "22"]))
        async with self.failing("find", errorCode=50):  # MaxTimeMSExpired
            (found,) = await invalid_documents(both, mongodb)
        self.assertEqual(found, InvalidDocuments("things", None))
