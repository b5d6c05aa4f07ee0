from __future__ import annotations

from unittest.mock import patch

from tornado.testing import gen_test

from indico.db import Collection, Document, ObjectId, owned
from indico.tests.server_test import ServerTest


class DeleteOwnedTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.notes = self.declared("notes", "user_id")
        self.votes = self.declared("votes", "voter")
        self.words = self.declared("words", None)

    def declared(self, name: str, owner: str | None) -> Collection[Document]:
        collection = Collection(name, Document, owner=owner)
        self.addCleanup(Collection.declared.remove, collection)
        return collection

    @gen_test
    async def test_valid(self) -> None:
        ada, eve = ObjectId(), ObjectId()
        for n in range(5):
            await self.notes.insert({"_id": n, "user_id": ada})
        await self.notes.insert({"_id": "other", "user_id": eve})
        await self.votes.insert({"_id": 1, "voter": ada, "user_id": eve})
        await self.votes.insert({"_id": 2, "voter": eve, "user_id": ada})
        await self.words.insert({"_id": 1, "user_id": ada})
        with patch.object(owned, "_DELETED_AT_ONCE", 2):
            await owned.delete_owned(ada)
        self.assertEqual(await self.notes.find_ids({}, 9), ["other"])
        self.assertEqual(await self.votes.find_ids({}, 9), [2])
        self.assertEqual(await self.words.find_ids({}, 9), [1])
