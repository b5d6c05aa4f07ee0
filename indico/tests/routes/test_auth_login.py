"""`/auth/login`, and the hashes of passwords."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from indico import db
from indico.service import passwords
from indico.tests.server_test import PASSWORD, ServerTest


class HashTest(ServerTest):
    """Passwords hashed with the parameters of the server."""

    hasher = passwords.HASHING.hasher

    def test_parameters(self) -> None:
        self.register()
        self.login()
        self.assertIn("$argon2id$v=19$m=19456,t=2,p=1$", repr(self.stored("users")))


class LoginTest(ServerTest):
    def test_valid(self) -> None:
        registered = self.register()
        answer = self.login("ADA@example.COM")
        self.assertEqual(answer["user"], registered["user"])
        self.assertNotEqual(answer["token"], registered["token"])
        expires_in = datetime.fromisoformat(answer["expires_at"]) - datetime.now(UTC)
        ttl = timedelta(seconds=self.config.session_ttl_seconds)
        self.assertLess(abs(expires_in - ttl), timedelta(minutes=1))
        self.data(self.post("/auth/check", token=registered["token"]))

    def test_any_spelling(self) -> None:
        self.register("ada@xn--bcher-kva.test")
        for email in ("ada@xn--bcher-kva.test", "ada@b\u00fccher.test", "ADA@B\u00dcCHER.TEST"):
            self.login(email)

    def test_a_long_email_does_not_hold_up_the_others(self) -> None:
        """The email is cut before it is normalized, which takes quadratic time."""
        email = "a" + "\u0301" * 150_000 + "\u0323" * 150_000 + "@example.com"
        body = json.dumps({"email": email, "password": PASSWORD}, ensure_ascii=False)
        self.error(self.post("/auth/login", body.encode()), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        response = self.post("/auth/login", {"email": "ada@example.com"})
        self.error(response, 400, "invalid_argument", "password")

    def test_wrong_type(self) -> None:
        self.register()
        body = {"email": {"$gt": ""}, "password": {"$gt": ""}}
        self.error(self.post("/auth/login", body), 400, "invalid_argument", "email", "password")

    def test_wrong_email_and_wrong_password_are_answered_alike(self) -> None:
        self.register()
        answers = [
            self.post("/auth/login", {"email": email, "password": password}, X_Request_Id="same")
            for email, password in (
                ("eve@example.com", PASSWORD),
                ("ada@example.com", "wrong password"),
                ("no address", ""),
            )
        ]
        for answer in answers:
            self.error(answer, 401, "unauthenticated")
            self.assertEqual(answer.body, answers[0].body)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_an_unknown_email_costs_a_hash(self) -> None:
        self.register()
        verified = []
        verify = PasswordHasher.verify

        def spy(hasher: PasswordHasher, hash: str, password: str) -> bool:
            try:
                return verify(hasher, hash, password)
            except Exception as error:
                verified.append((hash.split("$")[:4], type(error)))
                raise

        with patch.object(PasswordHasher, "verify", spy):
            for email in ("eve@example.com", "ada@example.com"):
                self.post("/auth/login", {"email": email, "password": "wrong password"})
        self.assertEqual(len(verified), 2)
        self.assertEqual(verified[0], verified[1])
        self.assertEqual(verified[0][1], VerifyMismatchError)

    def test_a_hash_with_old_parameters_is_renewed(self) -> None:
        self.register()
        weak = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
        self.run_async(db.mongodb.users.update_one({}, {"$set": {"password_hash": weak}}))
        self.login()
        (user,) = self.stored("users")
        self.assertNotEqual(user["password_hash"], weak)
        self.assertFalse(passwords.needs_renewal(user["password_hash"]))
        self.login()
        self.assertEqual(self.stored("users")[0]["password_hash"], user["password_hash"])

    def test_a_hash_of_a_password_as_it_was_typed(self) -> None:
        """A hash from before passwords were normalized."""
        self.register()
        typed = "re\u0301sume\u0301s!"
        stored = {"password_hash": self.hasher.hash(typed)}
        self.run_async(db.mongodb.users.update_one({}, {"$set": stored}))
        self.login(password=typed)

    def test_a_long_password_does_not_hold_up_the_others(self) -> None:
        """Only a text that may be a password is normalized, which takes quadratic time."""
        password = "a" + "\u0301" * 150_000 + "\u0323" * 150_000
        body = json.dumps({"email": "ada@example.com", "password": password}, ensure_ascii=False)
        self.error(self.post("/auth/login", body.encode()), 401, "unauthenticated")

    def test_a_stored_hash_that_is_none_lets_nobody_in(self) -> None:
        self.register()
        self.run_async(db.mongodb.users.update_one({}, {"$set": {"password_hash": "x"}}))
        body = {"email": "ada@example.com", "password": PASSWORD}
        self.error(self.post("/auth/login", body), 401, "unauthenticated")

    def test_too_many_at_once(self) -> None:
        with patch.object(passwords.HASHING.threads, "limit", 0):
            body = {"email": "ada@example.com", "password": PASSWORD}
            response = self.post("/auth/login", body)
        self.error(response, 503, "unavailable")
        self.assertEqual(response.headers["Retry-After"], "1")

    def test_no_session_outlives_the_password_it_was_made_with(self) -> None:
        # The password changes, or the account goes, while a login is being checked.
        self.register()
        users, sessions = db.mongodb.users, db.mongodb.sessions
        changes: list[Any] = [
            lambda: users.update_one({}, {"$set": {"password_changed_at": datetime.now(UTC)}}),
            lambda: users.delete_many({}),
        ]
        verify = passwords.verify_password
        for change in changes:

            async def verify_late(hash: str | None, password: str) -> bool:
                valid = await verify(hash, password)
                await change()  # noqa: B023
                return valid

            with patch("indico.service.login_limits.verify_password", verify_late):
                body = {"email": "ada@example.com", "password": PASSWORD}
                self.error(self.post("/auth/login", body), 401, "unauthenticated")
            self.assertEqual(self.run_async(sessions.count_documents({})), 1)
