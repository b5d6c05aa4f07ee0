"""The database as your helper modules use it."""

from __future__ import annotations

from tornado.testing import gen_test

from indico import db
from indico.engine.mongo.driver import mongodb
from indico.error import Conflict
from indico.tests.server_test import ServerTest


class IndexTest(ServerTest):
    def test_declared_indexes_are_made(self) -> None:
        keys = {
            "users": {"_id_", "email_key_1"},
            "sessions": {"_id_", "user_id_1", "expires_at_1"},
        }
        for name, indexes in keys.items():
            made = self.run_async(db.mongodb[name].index_information())
            self.assertEqual(set(made), indexes)
        users = self.run_async(db.mongodb.users.index_information())
        self.assertTrue(users["email_key_1"]["unique"])

    def test_documents_of_a_user_are_found_by_an_index(self) -> None:
        for collection in db.Collection.declared:
            first = {next(iter(index.document["key"])) for index in collection.indexes}
            indexed = {None, "_id", *first}
            self.assertIn(collection.owner, indexed, f"{collection.name} needs an index")


class FaceTest(ServerTest):
    @gen_test
    async def test_all_or_none(self) -> None:
        @db.transaction
        async def create_twice() -> None:
            for _ in range(2):
                await db.mongodb.notes.insert_one({"_id": 1}, session=db.current_session())

        self.assertIs(db.mongodb, mongodb)
        with self.assertRaises(Conflict):
            await create_twice()
        self.assertIsNone(await db.mongodb.notes.find_one({}))
