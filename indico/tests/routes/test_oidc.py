"""`/auth/oidc_...` and `/user/link`, `unlink` and `identities`: other services, for apps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from indico import db
from indico.engine.oidc.identity import Identity
from indico.error import IdentityConflict, IndicoError
from indico.service import accounts, identities
from indico.service.login_limits import UNLIMITED, Caller
from indico.tests.provider_test import APP, ProviderTest
from indico.tests.server_test import PASSWORD, ServerTest

EMAIL = "ada@example.com"


class StartTest(ProviderTest):
    def start(self, **changes: Any) -> Any:
        return self.post("/auth/oidc_start", {"provider": "test", "redirect_uri": APP, **changes})

    def test_valid(self) -> None:
        begun = self.data(self.start())
        url = begun["authorization_url"]
        self.assertTrue(url.startswith(f"{self.provider.issuer}/authorize?"), url)
        self.assertEqual(self.query(url)["redirect_uri"], APP)
        self.assertNotIn(self.query(url)["nonce"], begun["flow"])
        self.assertEqual(self.stored("oidc_states"), [])

    def test_missing_field(self) -> None:
        answer = self.post("/auth/oidc_start")
        self.error(answer, 400, "invalid_argument", "provider", "redirect_uri")

    def test_not_configured(self) -> None:
        for field in ("provider", "redirect_uri"):
            answer = self.start(**{field: "https://evil.example"})
            details = self.error(answer, 400, "invalid_argument", field)["details"]
            self.assertEqual(details[0]["reason"], "not_configured")

    def test_down(self) -> None:
        self.provider.close()
        error = self.error(self.start(), 503, "unavailable", "")
        self.assertEqual(error["details"][0]["reason"], "provider")


class WithoutServicesTest(ServerTest):
    settings = {"oidc_redirect_uris": [APP]}  # noqa: RUF012

    def test_not_configured(self) -> None:
        body = {"provider": "test", "redirect_uri": APP}
        answer = self.post("/auth/oidc_start", body)
        self.error(answer, 400, "invalid_argument", "provider")


class FinishTest(ProviderTest):
    def fails(self, reason: str, status: int = 401, **changes: Any) -> None:
        """Assert that a login fails for this reason, and opens no session."""
        code = "unauthenticated" if status == 401 else "conflict"
        answer = self.post("/auth/oidc_finish", {**self.begin(), **changes})
        error = self.error(answer, status, code, "")
        self.assertEqual(error["details"][0]["reason"], reason)
        self.assertEqual(self.stored("sessions"), [])

    def test_new_person(self) -> None:
        answer = self.log_in_by_app()
        self.assertIsNone(answer["confirm"])
        user = answer["login"]["user"]
        self.assertEqual((user["email"], user["name"]), (EMAIL, "Ada"))
        self.assertEqual(self.data(self.post("/user/get", token=answer["login"]["token"])), user)
        (identity,) = self.stored("identities")
        known = (identity["issuer"], identity["subject"], identity["email"])
        self.assertEqual(known, (self.provider.issuer, "ada", EMAIL))

    def test_known_by_the_subject(self) -> None:
        first = self.log_in_by_app()["login"]["user"]
        self.provider.claims = {"email": "lovelace@example.com"}
        self.assertEqual(self.log_in_by_app()["login"]["user"], first)
        self.provider.claims = {"sub": "eve", "email": "eve@example.com"}
        self.assertNotEqual(self.log_in_by_app()["login"]["user"]["id"], first["id"])

    def test_name_that_is_none(self) -> None:
        self.provider.claims = {"name": "\n"}
        self.assertIsNone(self.log_in_by_app()["login"]["user"]["name"])

    def test_email_that_is_none(self) -> None:
        for email in (None, "ada", 5):
            self.provider.claims = {"email": email}
            self.fails("no_email", 409)
        self.assertEqual(self.stored("users"), [])

    def test_email_that_is_not_verified(self) -> None:
        """A new account may have any email, but no account is found by it."""
        self.provider.claims = {"email_verified": False}
        self.assertEqual(self.log_in_by_app()["login"]["user"]["email"], EMAIL)
        self.provider.claims = {"email_verified": False, "sub": "eve"}
        answer = self.post("/auth/oidc_finish", self.begin())
        self.error(answer, 409, "conflict", "")

    def test_state(self) -> None:
        right = self.begin()["returned"]
        self.fails("state", returned={})
        self.fails("state", returned=right)
        self.fails("state", flow="x")
        self.fails("state", flow=self.begin()["flow"])

    def test_replayed(self) -> None:
        body = self.begin()
        token = self.data(self.post("/auth/oidc_finish", body))["login"]["token"]
        error = self.error(self.post("/auth/oidc_finish", body), 401, "unauthenticated", "")
        self.assertEqual(error["details"][0]["reason"], "used")
        self.assertEqual(len(self.stored("sessions")), 1)
        self.data(self.post("/auth/check", token=token))

    def test_refused(self) -> None:
        state = self.begin()["returned"]["state"]
        self.fails("state", returned={"error": "access_denied", "state": state})
        body = self.begin()
        refused = {"error": "access_denied", "state": body["returned"]["state"]}
        answer = self.post("/auth/oidc_finish", {**body, "returned": refused})
        self.assertIn("did not let you in", answer.body.decode())

    def test_wrong_token(self) -> None:
        for claims in ({"aud": "another"}, {"exp": 1}, {"nonce": "another"}):
            self.provider.claims = claims
            self.fails("answer")

    def test_missing_field(self) -> None:
        answer = self.post("/auth/oidc_finish")
        self.error(answer, 400, "invalid_argument", "flow", "returned")

    def test_wrong_type(self) -> None:
        answer = self.post("/auth/oidc_finish", {"flow": 5, "returned": {"code": 5}})
        self.error(answer, 400, "invalid_argument", "flow", "returned.code")

    def test_with_a_key(self) -> None:
        """The call asks another server, so that it can't be a transaction with its key."""
        body = self.begin()
        self.data(self.post("/auth/oidc_finish", body, Idempotency_Key="k"))
        answer = self.post("/auth/oidc_finish", body, Idempotency_Key="k")
        self.error(answer, 401, "unauthenticated", "")

    def test_at_once(self) -> None:
        """One new person who logs in several times at once gets one account."""
        issuer = self.provider.issuer
        identity = Identity("test", issuer, "ada", EMAIL, True, "Ada")

        async def log_in_often() -> list[Any]:
            logins = (identities.login(identity, 60, UNLIMITED) for _ in range(4))
            return [*await asyncio.gather(*logins, return_exceptions=True)]

        results = self.run_async(log_in_often())
        others = [r for r in results if not isinstance(r, dict | IndicoError)]
        self.assertEqual(others, [])
        self.assertEqual([len(self.stored(name)) for name in ("users", "identities")], [1, 1])


class LinkByEmailTest(ProviderTest):
    """A person whose email an account has already."""

    def setUp(self) -> None:
        super().setUp()
        self.user = self.register(EMAIL)["user"]

    def link(self, password: str = PASSWORD, **changes: str) -> Any:
        proof = self.log_in_by_app()["confirm"]["link"]
        return self.post("/auth/oidc_link", {"link": proof, "password": password, **changes})

    def test_valid(self) -> None:
        answer = self.log_in_by_app()
        self.assertEqual((answer["login"], answer["confirm"]["email"]), (None, EMAIL))
        self.assertEqual(self.stored("identities"), [])
        self.assertEqual(self.data(self.link())["user"], self.user)
        self.assertEqual(self.log_in_by_app()["login"]["user"], self.user)

    def test_email_in_another_case(self) -> None:
        self.provider.claims = {"email": "ADA@example.com"}
        self.assertEqual(self.data(self.link())["user"], self.user)

    def test_wrong_password(self) -> None:
        self.error(self.link("wrong horse"), 401, "unauthenticated")
        self.assertEqual(self.stored("identities"), [])

    def test_wrong_link(self) -> None:
        self.error(self.link(link="x"), 401, "unauthenticated", "")
        self.error(self.link(link=self.begin()["flow"]), 401, "unauthenticated", "")

    def test_not_verified(self) -> None:
        for verified in (False, None, "false", 1):
            self.provider.claims = {"email_verified": verified}
            answer = self.post("/auth/oidc_finish", self.begin())
            details = self.error(answer, 409, "conflict", "")["details"]
            self.assertEqual(details[0]["reason"], "not_linked")

    def test_twice(self) -> None:
        proof = self.log_in_by_app()["confirm"]["link"]
        for _ in range(2):
            body = {"link": proof, "password": PASSWORD}
            self.data(self.post("/auth/oidc_link", body))
        self.assertEqual(len(self.stored("identities")), 1)

    def test_account_without_a_password(self) -> None:
        """Nobody could confirm."""
        self.provider.claims = {"email": "eve@example.com"}
        self.log_in_by_app()
        self.provider.claims = {"email": "eve@example.com", "sub": "another"}
        answer = self.post("/auth/oidc_finish", self.begin())
        self.error(answer, 409, "conflict", "")


class LimitTest(ProviderTest):
    settings = {"registration_limit": "1/hour", "login_limit": "1/minute"}  # noqa: RUF012

    def test_new_accounts(self) -> None:
        self.log_in_by_app()
        self.log_in_by_app()  # which makes none
        self.provider.claims = {"sub": "eve", "email": "eve@example.com"}
        answer = self.post("/auth/oidc_finish", self.begin())
        self.error(answer, 429, "rate_limited")

    def test_wrong_passwords(self) -> None:
        token = self.register(EMAIL)["token"]
        link = self.log_in_by_app()["confirm"]["link"]
        for path, body, status in (
            ("/auth/oidc_link", {"link": link, "password": "wrong horse"}, 401),
            ("/auth/oidc_link", {"link": link, "password": "wrong horse"}, 429),
            ("/user/link", {**self.begin(), "password": "wrong horse"}, 429),
        ):
            self.assertEqual(self.post(path, body, token).code, status, path)


class BeginLimitTest(ProviderTest):
    """The logins that one address may begin; each is finished once."""

    settings = {"login_limit": "1/hour"}  # noqa: RUF012

    def refused(self) -> None:
        answer = self.post("/auth/oidc_start", {"provider": "test", "redirect_uri": APP})
        self.error(answer, 429, "rate_limited")
        self.assertIn("Retry-After", answer.headers)

    def test_begun(self) -> None:
        for _ in range(10):
            self.begin()
        self.refused()
        self.register("bob@example.com")
        self.login("bob@example.com")  # passwords have tokens of their own

    def test_finished(self) -> None:
        """A login that succeeds gives its token back, and one that fails does not."""
        token = self.register("bob@example.com")["token"]
        begun = [self.begin() for _ in range(10)]
        self.refused()
        link = {"password": PASSWORD}
        self.data(self.post("/user/link", {**begun.pop(), **link}, token))
        begun.append(self.begin())
        self.refused()
        self.data(self.post("/auth/oidc_finish", begun.pop()))
        begun.append(self.begin())
        self.provider.claims = {"aud": "another"}
        self.error(self.post("/auth/oidc_finish", begun.pop()), 401, "unauthenticated", "")
        self.refused()

    def test_without_an_address(self) -> None:
        """A proxy that tells none is no reason to refuse everybody."""

        async def count_often() -> None:
            for _ in range(11):
                await Caller(None, self.config.login_limit).count_service_login()

        self.run_async(count_often())
        self.begin()


class LinkTest(ProviderTest):
    """A person who adds a service to an account with another email."""

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register("grace@example.com")["token"]

    def link(self, password: str = PASSWORD, token: str | None = None) -> Any:
        return self.post("/user/link", {**self.begin(), "password": password}, token or self.token)

    def linked(self) -> list[Any]:
        items: list[Any] = self.data(self.post("/user/identities", token=self.token))["items"]
        return items

    def test_valid(self) -> None:
        self.assertEqual(self.linked(), [])
        self.data(self.link())
        (identity,) = self.linked()
        self.assertEqual((identity["issuer"], identity["email"]), (self.provider.issuer, EMAIL))
        self.assertEqual(self.log_in_by_app()["login"]["user"]["email"], "grace@example.com")

    def test_anonymous(self) -> None:
        body = {**self.begin(), "password": PASSWORD}
        self.error(self.post("/user/link", body), 401, "unauthenticated")

    def test_wrong_password(self) -> None:
        self.error(self.link("wrong horse"), 403, "permission_denied")
        self.assertEqual(self.linked(), [])

    def test_state(self) -> None:
        """The token stays valid, so this is no 401."""
        body = {"flow": "x", "returned": {}, "password": PASSWORD}
        error = self.error(self.post("/user/link", body, self.token), 403, "permission_denied", "")
        self.assertEqual(error["details"][0]["reason"], "state")

    def test_of_another_account(self) -> None:
        self.log_in_by_app()
        error = self.error(self.link(), 409, "conflict", "")
        self.assertEqual(error["details"][0]["reason"], "linked")

    def test_twice(self) -> None:
        for _ in range(2):
            self.data(self.link())
        self.assertEqual(len(self.linked()), 1)

    def test_deleted_with_the_account(self) -> None:
        self.data(self.link())
        self.data(self.post("/user/delete", {"password": PASSWORD}, self.token))
        self.assertEqual(self.stored("identities"), [])

    def test_password_changed_meanwhile(self) -> None:
        confirm = accounts.confirm

        async def confirm_too_early(*args: Any) -> Any:
            found = await confirm(*args)
            time = db.now() + timedelta(seconds=1)
            await db.mongodb.users.update_many({}, {"$set": {"password_changed_at": time}})
            return found

        with patch.object(accounts, "confirm", confirm_too_early):
            self.error(self.link(), 403, "permission_denied")
        self.assertEqual(self.linked(), [])


class UnlinkTest(ProviderTest):
    def setUp(self) -> None:
        super().setUp()
        self.token = self.log_in_by_app()["login"]["token"]

    def unlink(self, identity: Any = None, token: str | None = None) -> Any:
        identity_id = str(identity or self.stored("identities")[0]["_id"])
        return self.post("/user/unlink", {"id": identity_id}, token or self.token)

    def test_last_way_to_log_in(self) -> None:
        error = self.error(self.unlink(), 409, "conflict", "")
        self.assertEqual(error["details"][0]["reason"], "last")
        self.assertEqual(len(self.stored("identities")), 1)

    def test_with_a_password(self) -> None:
        body = {"current_password": "", "new_password": PASSWORD}
        self.data(self.post("/user/change_password", body, self.token))
        self.data(self.unlink())
        self.assertEqual(self.stored("identities"), [])
        self.login(EMAIL)

    def test_a_service_that_is_no_longer_configured_counts_not(self) -> None:
        self.add("https://old.example")
        self.error(self.unlink(), 409, "conflict", "")

    def test_two_at_once(self) -> None:
        self.add(self.provider.issuer)
        user_id = self.stored("users")[0]["_id"]
        ids = [each["_id"] for each in self.stored("identities")]

        async def unlink_both() -> list[Any]:
            both = (identities.unlink(user_id, each, [self.provider.issuer]) for each in ids)
            return [*await asyncio.gather(*both, return_exceptions=True)]

        results = self.run_async(unlink_both())
        self.assertEqual(sum(isinstance(each, IdentityConflict) for each in results), 1, results)
        self.assertEqual(len(self.stored("identities")), 1)

    def test_not_found(self) -> None:
        self.error(self.unlink("0" * 24), 404, "not_found")

    def test_other_user(self) -> None:
        token = self.register("eve@example.com")["token"]
        self.error(self.unlink(token=token), 404, "not_found")

    def add(self, issuer: str) -> None:
        (first,) = self.stored("identities")
        document = {**first, "_id": db.ObjectId(), "issuer": issuer, "subject": "second"}
        self.run_async(db.mongodb.identities.insert_one(document))


class NoPasswordTest(ProviderTest):
    """An account that a service has made."""

    def setUp(self) -> None:
        super().setUp()
        self.token = self.log_in_by_app()["login"]["token"]

    def make_old(self) -> None:
        """Let the login be longer ago than a change may be."""
        time = db.now() - timedelta(minutes=11)
        self.run_async(db.mongodb.sessions.update_many({}, {"$set": {"created_at": time}}))

    def test_no_password_fits(self) -> None:
        for password in ("", "None", PASSWORD):
            answer = self.post("/auth/login", {"email": EMAIL, "password": password})
            self.error(answer, 401, "unauthenticated")

    def test_first_password(self) -> None:
        body = {"current_password": "", "new_password": PASSWORD}
        self.data(self.post("/user/change_password", body, self.token))
        self.login(EMAIL)
        self.error(self.post("/user/change_password", body, self.token), 403, "permission_denied")

    def test_email(self) -> None:
        body = {"update_user": {"email": "new@example.com"}, "password": ""}
        self.assertEqual(
            self.data(self.post("/user/update", body, self.token))["email"], "new@example.com"
        )

    def test_deletion(self) -> None:
        self.data(self.post("/user/delete", {"password": ""}, self.token))
        self.assertEqual([*self.stored("users"), *self.stored("identities")], [])

    def test_an_old_login_confirms_nothing(self) -> None:
        self.make_old()
        for path, body in (
            ("/user/change_password", {"current_password": "", "new_password": PASSWORD}),
            ("/user/update", {"update_user": {"email": "new@example.com"}, "password": ""}),
            ("/user/link", {**self.begin(), "password": ""}),
            ("/user/delete", {"password": ""}),
        ):
            error = self.error(self.post(path, body, self.token), 403, "permission_denied", "")
            self.assertEqual(error["details"][0]["reason"], "login_too_old", path)
