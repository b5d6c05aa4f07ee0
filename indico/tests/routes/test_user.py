from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar
from unittest.mock import patch

from tornado.testing import gen_test

import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico import db
from indico.db import owned
from indico.engine.error import AuthError, Unavailable
from indico.service import accounts
from indico.tests.server_test import PASSWORD, ServerTest
from indico.utils import LOGGER

T = TypeVar("T")
NEW_PASSWORD = "a new password"


def apart(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start `work` as another request would, outside of the current transaction."""
    return asyncio.create_task(work, context=Context())


class UserTest(ServerTest):
    """Account with a token, beside the account of another user."""

    def setUp(self) -> None:
        super().setUp()
        registered = self.register(name="Ada")
        self.user, self.token = registered["user"], registered["token"]
        self.other = self.register("eve@example.com", name="Eve")

    def get(self, token: str | None = None) -> Any:
        return self.data(self.post("/user/get", token=token or self.token))


class GetTest(UserTest):
    def test_valid(self) -> None:
        user = self.get()
        self.assertEqual(user, self.user)
        self.assertEqual(set(user), {"id", "email", "name", "created_at", "updated_at"})
        self.assertRegex(user["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")

    def test_anonymous(self) -> None:
        self.error(self.post("/user/get"), 401, "unauthenticated")

    def test_other_user(self) -> None:
        self.assertEqual(self.get(self.other["token"]), self.other["user"])

    def test_account_gone_while_its_token_is_looked_up(self) -> None:
        self.run_async(db.mongodb.users.delete_many({"name": "Ada"}))
        self.error(self.post("/user/get", token=self.token), 401, "unauthenticated")
        body = {"update_user": {"name": "A"}}
        self.error(self.post("/user/update", body, self.token), 401, "unauthenticated")
        self.error(
            self.post("/user/delete", {"password": PASSWORD}, self.token), 401, "unauthenticated"
        )


class UpdateTest(UserTest):
    def update(self, changes: Any, password: str | None = PASSWORD) -> Any:
        body = {"update_user": changes, "password": password}
        return self.post("/user/update", body, self.token)

    def test_valid(self) -> None:
        updated = self.data(self.update({"name": "Ada Lovelace", "email": "Lady@example.com"}))
        self.assertEqual(updated["name"], "Ada Lovelace")
        self.assertEqual(updated["email"], "Lady@example.com")
        self.assertEqual(updated["created_at"], self.user["created_at"])
        self.assertGreater(updated["updated_at"], self.user["updated_at"])
        self.assertEqual(self.get(), updated)
        self.login("lady@EXAMPLE.com")
        self.assertEqual(self.get(self.other["token"]), self.other["user"])

    def test_one_field_leaves_the_other(self) -> None:
        self.assertEqual(self.data(self.update({"name": "A"}))["email"], self.user["email"])
        self.assertEqual(self.data(self.update({"email": "b@example.com"}))["name"], "A")
        self.assertIsNone(self.data(self.update({"name": None}))["name"])

    def test_a_new_email_needs_the_password(self) -> None:
        """Nobody learns at the speed of a query which emails are taken."""
        self.data(self.update({"name": "A"}, password=None))
        for email in ("eve@example.com", "b@example.com"):
            refused = self.update({"email": email}, password=None)
            self.error(refused, 400, "invalid_argument", "password")
            refused = self.update({"email": email, "name": "B"}, password="wrong password")
            self.error(refused, 403, "permission_denied")
        self.assertEqual((self.get()["email"], self.get()["name"]), (self.user["email"], "A"))

    def test_own_email_in_another_case(self) -> None:
        answer = self.data(self.update({"email": "ADA@example.com"}))
        self.assertEqual(answer["email"], "ADA@example.com")

    def test_anonymous(self) -> None:
        body = {"update_user": {"name": "A"}}
        self.error(self.post("/user/update", body), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        for body in ({}, {"name": "A"}):
            response = self.post("/user/update", body, self.token)
            self.error(response, 400, "invalid_argument", "update_user", *body)
        self.error(self.post("/user/update", b"", self.token), 400, "malformed")
        self.error(self.update({}), 400, "invalid_argument", "update_user")

    def test_wrong_type(self) -> None:
        wrong: list[tuple[Any, str]] = [
            (5, "update_user"),
            (None, "update_user"),
            ([], "update_user"),
            ({"name": 5}, "update_user.name"),
            ({"name": {"$set": 1}}, "update_user.name"),
            ({"name": "a\x00"}, "update_user.name"),
            ({"email": None}, "update_user.email"),
            ({"email": "nowhere"}, "update_user.email"),
        ]
        for changes, path in wrong:
            with self.subTest(changes=changes):
                self.error(self.update(changes), 400, "invalid_argument", path)
        self.assertEqual(self.get(), self.user)

    def test_fields_that_no_model_names(self) -> None:
        before = self.stored("users")
        names = ["password_hash", "_id", "id", "role", "$set", "a.b", "__proto__", "created_at"]
        names += ["email_key", "password_changed_at", "", "a\x00b"]
        for name in names:
            with self.subTest(name=name):
                response = self.update({"name": "Eve", name: {"x": 1}})
                path = f"update_user.{name}" if name else "update_user"
                self.error(response, 400, "invalid_argument", path)
        self.assertEqual(self.stored("users"), before)

    def test_conflict(self) -> None:
        self.error(self.update({"email": "EVE@example.com"}), 409, "conflict", "email")
        self.assertEqual(self.get(), self.user)


class ChangePasswordTest(UserTest):
    def change(self, current: Any, new: Any) -> Any:
        body = {"current_password": current, "new_password": new}
        return self.post("/user/change_password", body, self.token)

    def test_valid(self) -> None:
        elsewhere = [self.login()["token"], self.login()["token"]]
        self.assertEqual(self.data(self.change(PASSWORD, NEW_PASSWORD)), {"revoked": 2})
        for token in elsewhere:
            self.error(self.post("/auth/check", token=token), 401, "unauthenticated")
        self.data(self.post("/auth/check", token=self.token))
        self.data(self.post("/auth/check", token=self.other["token"]))
        self.login(password=NEW_PASSWORD)
        body = {"email": "ada@example.com", "password": PASSWORD}
        self.error(self.post("/auth/login", body), 401, "unauthenticated")

    def test_anonymous(self) -> None:
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        self.error(self.post("/user/change_password", body), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        response = self.post("/user/change_password", {}, self.token)
        self.error(response, 400, "invalid_argument", "current_password", "new_password")

    def test_wrong_type(self) -> None:
        for new in ("short", "p" * 129, 12345678, None):
            self.error(self.change(PASSWORD, new), 400, "invalid_argument", "new_password")
        self.login()

    def test_wrong_password(self) -> None:
        elsewhere = self.login()["token"]
        self.error(self.change("wrong password", NEW_PASSWORD), 403, "permission_denied")
        self.data(self.post("/auth/check", token=elsewhere))
        self.login()

    @gen_test
    async def test_client_leaves_in_the_middle(self) -> None:
        """A change that has begun is finished: no other session outlives the old password."""
        await accounts.login("ada@example.com", PASSWORD, 60)
        session = await SessionDB.find(self.token)
        assert session
        change, record = UserDB.change_password, UserDB.record_login
        logins = []
        recording = asyncio.Event()

        async def leave(*arguments: Any) -> bool:
            changed = await change(*arguments)
            logins.append(apart(accounts.login("ada@example.com", PASSWORD, 60)))
            await recording.wait()
            caller.cancel()
            await asyncio.sleep(0)
            return changed

        async def record_late(*arguments: Any) -> bool:
            recording.set()
            return await record(*arguments)

        patches: dict[str, Any] = {"change_password": leave, "record_login": record_late}
        with patch.multiple("indico.db.user_db", **patches):
            caller = asyncio.ensure_future(
                accounts.change_password(session, PASSWORD, NEW_PASSWORD)
            )
            with self.assertRaises(asyncio.CancelledError):
                await caller
            with self.assertRaises(AuthError):
                await logins[0]
        left = await db.mongodb.sessions.find({"user_id": session.user_id}).to_list(None)
        self.assertEqual([document["_id"] for document in left], [session.id])
        self.assertTrue(await accounts.login("ada@example.com", NEW_PASSWORD, 60))

    @gen_test
    async def test_the_answer_of_the_database_is_lost(self) -> None:
        """Either both are changed, the password and the sessions, or none."""
        session = await SessionDB.find(self.token)
        assert session
        change = UserDB.change_password
        logins = []

        async def lose_the_answer(*arguments: Any) -> bool:
            logins.append(await apart(accounts.login("ada@example.com", PASSWORD, 60)))
            await change(*arguments)
            raise Unavailable

        lost = patch.object(UserDB, "change_password", lose_the_answer)
        with lost, self.assertRaises(Unavailable):
            await accounts.change_password(session, PASSWORD, NEW_PASSWORD)
        self.assertTrue(await SessionDB.find(logins[0]["token"]))
        self.assertTrue(await accounts.login("ada@example.com", PASSWORD, 60))
        self.assertEqual(await accounts.change_password(session, PASSWORD, NEW_PASSWORD), 2)
        self.assertIsNone(await SessionDB.find(logins[0]["token"]))

    def test_no_hash_is_logged_or_answered(self) -> None:
        rule = {"validator": {"password_hash": {"$in": ["nope"]}}, "validationLevel": "strict"}
        kept = self.run_async(db.mongodb.own.users.options())
        self.run_async(db.mongodb.command("collMod", "users", **rule))
        with self.assertLogs(LOGGER, "ERROR") as logs:
            response = self.change(PASSWORD, NEW_PASSWORD)
        self.run_async(db.mongodb.command("collMod", "users", **kept))
        self.error(response, 500, "internal")
        self.assertIn("MongoDB refused a document: ", logs.output[0])
        self.assertNotIn("argon2", "".join(logs.output) + response.body.decode())

    @gen_test(timeout=30)
    async def test_two_at_once(self) -> None:
        """Two changes at once: one is made, and the other is refused."""
        passwords = ["password one", "password two"]
        calls = [
            self.http_client.fetch(
                self.get_url("/user/change_password"),
                method="POST",
                headers={"Authorization": f"Bearer {self.token}"},
                body=json.dumps({"current_password": PASSWORD, "new_password": password}),
                raise_error=False,
            )
            for password in passwords
        ]
        codes = [response.code for response in await asyncio.gather(*calls)]
        self.assertEqual(sorted(codes), [200, 403])
        winner = passwords[codes.index(200)]
        self.assertTrue(await accounts.login("ada@example.com", winner, 60))


class DeleteTest(UserTest):
    def test_valid(self) -> None:
        elsewhere = self.login()["token"]
        self.assertIsNone(self.data(self.post("/user/delete", {"password": PASSWORD}, self.token)))
        for token in (self.token, elsewhere):
            self.error(self.post("/auth/check", token=token), 401, "unauthenticated")
        body = {"email": "ada@example.com", "password": PASSWORD}
        self.error(self.post("/auth/login", body), 401, "unauthenticated")
        self.assertEqual([user["name"] for user in self.stored("users")], ["Eve"])
        self.assertEqual(len(self.stored("sessions")), 1)
        self.register()

    def test_anonymous(self) -> None:
        self.error(self.post("/user/delete", {"password": PASSWORD}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        response = self.post("/user/delete", {}, self.token)
        self.error(response, 400, "invalid_argument", "password")

    def test_wrong_type(self) -> None:
        response = self.post("/user/delete", {"password": {"$ne": None}}, self.token)
        self.error(response, 400, "invalid_argument", "password")
        self.get()

    def test_many_documents(self) -> None:
        """The documents are deleted in several pieces, and in the same transaction."""
        number = 2 * owned._DELETED_AT_ONCE + 1
        session, *others = self.stored("sessions")
        documents = [{**session, "_id": db.ObjectId().binary} for _ in range(number)]
        self.run_async(db.mongodb.sessions.insert_many(documents))
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        left = [each["user_id"] for each in self.stored("sessions")]
        self.assertNotIn(session["user_id"], left)
        self.assertEqual(len(left), len(others))

    def test_cut_off(self) -> None:
        """A deletion that is cut off deletes nothing."""
        delete = owned.delete_owned

        async def cut_off(user_id: db.ObjectId) -> None:
            await delete(user_id)
            raise Unavailable

        with patch("indico.service.accounts.delete_owned", cut_off):
            response = self.post("/user/delete", {"password": PASSWORD}, self.token)
        self.error(response, 503, "unavailable")
        self.data(self.post("/auth/check", token=self.token))
        self.login()
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        self.assertEqual(len(self.stored("sessions")), 1)

    def test_sessions_and_documents_that_come_meanwhile(self) -> None:
        delete = UserDB.delete

        async def late(user_id: db.ObjectId) -> None:
            await delete(user_id)
            await apart(SessionDB.create(user_id, 60))
            await apart(things.insert({"user_id": user_id}))

        things = db.Collection("things", db.Document, owner="user_id")
        self.addCleanup(db.Collection.declared.remove, things)
        with patch.object(UserDB, "delete", late):
            self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        self.assertEqual(
            [str(each["user_id"]) for each in self.stored("sessions")], [self.other["user"]["id"]]
        )
        self.assertEqual(self.stored("things"), [])

    @gen_test
    async def test_logins_meanwhile(self) -> None:
        """A login while the account is being deleted gets a token that ends with the account."""
        session = await SessionDB.find(self.token)
        assert session
        delete = UserDB.delete
        logins: list[asyncio.Task[accounts.Login]] = []

        async def delete_meanwhile(user_id: db.ObjectId) -> None:
            await UserDB.get(user_id)
            if not logins:
                logins.append(apart(accounts.login("ada@example.com", PASSWORD, 60)))
                await logins[0]
            await delete(user_id)
            logins.append(apart(accounts.login("ada@example.com", PASSWORD, 60)))

        with patch.object(UserDB, "delete", delete_meanwhile):
            await accounts.delete(session, PASSWORD)
        self.assertIsNone(await SessionDB.find((await logins[0])["token"]))
        for login in logins[1:]:
            with self.assertRaises(AuthError):
                await login
        self.assertEqual(await db.mongodb.sessions.count_documents({}), 1)

    def test_wrong_password(self) -> None:
        response = self.post("/user/delete", {"password": "wrong password"}, self.token)
        self.error(response, 403, "permission_denied")
        self.get()
