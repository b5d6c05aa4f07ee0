"""`/live` and `/events`: what users are told of their own data."""

from __future__ import annotations

import json

from tornado.testing import gen_test

import indico.db.identity_db as IdentityDB
from indico.db import Collection, ObjectId
from indico.engine.openapi.pages import api_of
from indico.tests.routes.live_test import LiveTest
from indico.tests.server_test import PASSWORD, ServerTest

# The collections whose documents are told to their owners. Add one here only on purpose.
LIVE = {"users", "sessions", "identities", "addresses"}


class ChangesTest(LiveTest):
    @gen_test(timeout=60)
    async def test_the_account(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        user = await self.call(caller, "user/update", update_user={"name": "Countess"})
        self.assertEqual(await self.told(client, "users"), ("update", user))
        passwords = {"current_password": PASSWORD, "new_password": f"another {PASSWORD}"}
        await self.call(caller, "user/change_password", **passwords)
        _, document = await self.told(client, "users")
        self.assertEqual(document, await self.call(caller, "user/get"))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_sessions(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        account = {"email": "ada@example.com", "password": PASSWORD}
        token = (await self.call(caller, "auth/login", **account))["token"]
        kind, document = await self.told(client, "sessions")
        self.assertEqual(kind, "insert")
        self.assertEqual(document.keys(), {"id", "created_at", "address", "last_used_at"})
        self.assertNotIn(token, str(document))
        other = await self.open(token)
        await self.call(other, "auth/logout")
        self.assertEqual(await self.told(client, "sessions"), ("delete", None))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_identities(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        user_id = ObjectId((await self.call(caller, "user/get"))["id"])
        await IdentityDB.create(user_id, "https://issuer.example", "7", "ada@example.com")
        (identity,) = (await self.call(caller, "user/identities"))["items"]
        self.assertEqual(await self.told(client, "identities"), ("insert", identity))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_a_deleted_account(self) -> None:
        client = await self.open(self.token)
        await client.write_message(
            json.dumps({"action": "user/delete", "body": {"password": PASSWORD}})
        )
        while await client.read_message() is not None:
            pass
        self.assertEqual(client.close_code, 1008)
        await self.close()


class DeclarationTest(ServerTest):
    def test_live_collections(self) -> None:
        live = {each.name for each in Collection.declared if each.live}
        self.assertEqual({name for name in live - LIVE if not name.startswith("sample_")}, set())

    def test_they_are_no_operations(self) -> None:
        """OpenAPI can't describe a WebSocket, and a call of /events does not end."""
        paths = api_of(self._app).document()["paths"]
        self.assertFalse({"/live", "/events"} & paths.keys())
