"""`/auth`: accounts, sessions and tokens."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.testing import gen_test

from indico import db
from indico.error import Unavailable
from indico.tests.server_test import PASSWORD, ServerTest

UNKNOWN_TOKEN = "A" * 43
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u200b\u2800\u3164\ufe0f\uffa0\U000e0100"


class RegisterTest(ServerTest):
    settings: ClassVar[dict[str, Any]] = {"registration_limit": "1000/hour"}

    def test_valid(self) -> None:
        answer = self.register("Ada@Example.com", name="Ada")
        self.assertEqual(answer["user"]["email"], "Ada@example.com")
        self.assertEqual(answer["user"]["name"], "Ada")
        self.assertRegex(answer["user"]["id"], r"^[0-9a-f]{24}$")
        self.assertEqual(set(answer), {"user", "token", "expires_at"})
        got = self.data(self.post("/user/get", token=answer["token"]))
        self.assertEqual(got, answer["user"])

    def test_name_is_optional(self) -> None:
        self.assertIsNone(self.register()["user"]["name"])
        self.assertIsNone(self.register("b@example.com", name=None)["user"]["name"])

    def test_missing_field(self) -> None:
        self.error(
            self.post("/auth/register", {"name": "A"}), 400, "invalid_argument", "email", "password"
        )
        self.assertEqual(self.stored("users"), [])

    def test_empty_body(self) -> None:
        self.error(self.post("/auth/register", b""), 400, "malformed")

    def test_wrong_type(self) -> None:
        wrong: list[tuple[str, Any]] = [
            ("email", 5),
            ("email", {"$gt": ""}),
            ("email", "no address"),
            ("email", "a" * 250 + "@example.com"),
            ("email", "a\x00b@example.com"),
            *(("email", f"ada{invisible}@example.com") for invisible in INVISIBLE),
            ("email", "ada@exam\ufe0fple.com"),
            ("password", "1234567"),
            ("password", "p" * 129),
            ("password", "e\u0301" * 4),
            ("password", " " * 8),
            ("password", "\u3000" * 8),
            ("password", "\0" * 8),
            ("password", "correct\nhorse"),
            ("password", "password"),
            ("password", "PassWord123"),
            ("password", "12345678"),
            ("password", ["p"] * 8),
            ("name", 1),
            ("name", True),
            ("name", ""),
            ("name", " \u3000"),
            ("name", "line\u2028break"),
            ("name", "nul \x00"),
            ("name", "line\nbreak"),
            ("name", "n" * 201),
        ]
        for field, value in wrong:
            with self.subTest(field=field, value=value):
                body = {"email": "ada@example.com", "password": PASSWORD, field: value}
                response = self.post("/auth/register", body)
                self.error(response, 400, "invalid_argument", field)
        self.assertEqual(self.stored("users"), [])

    def test_names_of_all_the_world(self) -> None:
        names = [
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
            "\u5c71\u7530\u3000\u592a\u90ce",
            "Jos\u00e9\u00a0L",
        ]
        for number, name in enumerate([*names, "\U0001f469\u200d\U0001f4bb", "O'Neil"]):
            answer = self.register(f"{number}@example.com", name=name)
            self.assertEqual(answer["user"]["name"], name)

    def test_cut_off(self) -> None:
        """The account is not kept without its session, so the client can register again."""
        body = {"email": "ada@example.com", "password": PASSWORD}
        for step in ("SessionDB.create", "UserDB.record_login"):
            with patch(f"indico.service.accounts.{step}", side_effect=Unavailable):
                self.error(self.post("/auth/register", body), 503, "unavailable")
            self.assertEqual(self.stored("users") + self.stored("sessions"), [])
        self.register()

    def test_every_problem_is_told(self) -> None:
        body = {"email": 1, "name": 2}
        error = self.error(
            self.post("/auth/register", body), 400, "invalid_argument", "email", "password", "name"
        )
        self.assertEqual([d["reason"] for d in error["details"]][1], "missing")

    def test_longest_and_shortest_password(self) -> None:
        self.register("short@example.com", password="8 chars!")
        self.register("long@example.com", password="\U0001f511" * 128)
        self.login("long@example.com", "\U0001f511" * 128)

    def test_a_password_that_another_keyboard_sends(self) -> None:
        """The same characters, composed and decomposed."""
        for number, typed in enumerate(("r\u00e9sum\u00e9s!", "re\u0301sume\u0301s!")):
            email = f"{number}@example.com"
            self.register(email, password=typed)
            self.login(email, "r\u00e9sum\u00e9s!")
            self.login(email, "re\u0301sume\u0301s!")

    def test_conflict(self) -> None:
        self.register("ada@example.com")
        for email in ("ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.com"):
            body = {"email": email, "password": PASSWORD}
            self.error(self.post("/auth/register", body), 409, "conflict", "email")
        self.assertEqual(len(self.stored("users")), 1)

    def test_unknown_fields(self) -> None:
        body = {"email": "ada@example.com", "password": PASSWORD, "role": "admin", "_id": 1}
        response = self.post("/auth/register", body)
        self.error(response, 400, "invalid_argument", "role", "_id")
        self.assertEqual(self.stored("users"), [])

    def test_nothing_secret_is_stored_in_clear(self) -> None:
        answer = self.register()
        everything = repr(self.stored("users") + self.stored("sessions"))
        self.assertNotIn(PASSWORD, everything)
        self.assertNotIn(answer["token"], everything)
        self.assertIn("$argon2id$v=19$", everything)

    @gen_test(timeout=60)
    async def test_two_hundred_at_once_make_one_account(self) -> None:
        body = json.dumps({"email": "ada@example.com", "password": PASSWORD})
        url = self.get_url("/auth/register")
        client = type(self.http_client)(force_instance=True, max_clients=200)
        calls = [
            client.fetch(url, method="POST", body=body, raise_error=False, request_timeout=50)
            for _ in range(200)
        ]
        codes = sorted(response.code for response in await asyncio.gather(*calls))
        client.close()
        self.assertEqual(codes, [201] + [409] * 199)
        self.assertEqual(await db.mongodb.users.count_documents({}), 1)


class TokenTest(ServerTest):
    """Tokens that `auth` accepts and refuses; every refusal is the same answer."""

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register()["token"]

    def test_valid(self) -> None:
        for value in (f"Bearer {self.token}", f"bearer {self.token}", f"Bearer  {self.token}"):
            response = self.post("/auth/check", Authorization=value)
            self.data(response)

    def test_refused(self) -> None:
        self.run_async(db.mongodb.sessions.update_one({}, {"$set": {"a": 1}}))
        revoked = self.login()["token"]
        self.data(self.post("/auth/logout", token=revoked))
        expired = self.login()["token"]
        past = datetime.now(UTC) - timedelta(milliseconds=1)
        self.run_async(
            db.mongodb.sessions.update_many({"a": {"$ne": 1}}, {"$set": {"expires_at": past}})
        )
        values = [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Basic x",
            self.token,
            f"Basic {self.token}",
            f"Bearer {self.token}x",
            f"Bearer {self.token[:-1]}",
            f"Bearer {UNKNOWN_TOKEN}",
            f"Bearer {'x' * 10_000}",
            f"Bearer {revoked}",
            f"Bearer {expired}",
            f"Bearer {self.token}, Bearer {self.token}",
        ]
        bodies = set()
        for value in values:
            headers = {"X-Request-Id": "same"}
            if value is not None:
                headers["Authorization"] = value
            with self.subTest(value=value):
                response = self.fetch("/user/get", method="POST", body="{}", headers=headers)
                self.error(response, 401, "unauthenticated")
                sent = (value or "").strip().lower().startswith("bearer ")
                challenge = 'Bearer error="invalid_token"' if sent else "Bearer"
                self.assertEqual(response.headers["WWW-Authenticate"], challenge)
                bodies.add(response.body)
        self.assertEqual(len(bodies), 1)
        self.data(self.post("/user/get", token=self.token))

    def test_expired_sessions_are_removed_by_an_index(self) -> None:
        indexes = self.run_async(db.mongodb.sessions.index_information())
        self.assertEqual(indexes["expires_at_1"]["expireAfterSeconds"], 0)


class CheckTest(ServerTest):
    def test_valid(self) -> None:
        registered = self.register()
        answer = self.data(self.post("/auth/check", token=registered["token"]))
        self.assertEqual(
            answer,
            {"user_id": registered["user"]["id"], "expires_at": registered["expires_at"]},
        )

    def test_anonymous(self) -> None:
        self.error(self.post("/auth/check"), 401, "unauthenticated")

    def test_malformed(self) -> None:
        self.error(self.post("/auth/check", b"[]"), 400, "malformed")


class LogoutTest(ServerTest):
    def test_valid(self) -> None:
        first, second = self.register()["token"], self.login()["token"]
        self.assertEqual(self.data(self.post("/auth/logout", token=first)), {"revoked": 1})
        self.error(self.post("/auth/check", token=first), 401, "unauthenticated")
        self.data(self.post("/auth/check", token=second))

    def test_anonymous(self) -> None:
        self.error(self.post("/auth/logout"), 401, "unauthenticated")


class LogoutAllTest(ServerTest):
    def test_valid(self) -> None:
        tokens = [self.register()["token"], self.login()["token"], self.login()["token"]]
        other = self.register("eve@example.com")["token"]
        answer = self.data(self.post("/auth/logout_all", token=tokens[0]))
        self.assertEqual(answer, {"revoked": 3})
        for token in tokens:
            self.error(self.post("/auth/check", token=token), 401, "unauthenticated")
        self.data(self.post("/auth/check", token=other))

    def test_anonymous(self) -> None:
        self.error(self.post("/auth/logout_all"), 401, "unauthenticated")
