"""A login with a provider: what comes back, and what it is worth."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from ...error import ServerError
from ...mongo.transactions import in_transaction
from ...oidc.clients import Clients
from ...oidc.error import LinkFailed, LoginFailed, NotConfigured
from ...oidc.identity import Identity
from .client_test import BACK, ClientTest
from .provider_server import METADATA


class FinishTest(ClientTest):
    def test_valid(self) -> None:
        flow, answer = self.begin("/next", "a user")
        self.assertEqual((flow.next, flow.user), ("/next", "a user"))
        identity = self.finish(flow, {**answer, "session_state": "of no use here"})
        issuer = self.provider.issuer
        ada = Identity("test", issuer, "ada", "ada@example.com", True, "Ada", "a user")
        self.assertEqual(identity, ada)
        self.assertEqual(self.provider.asked, [METADATA, "/token", "/keys"])

    def test_each_flow_has_secrets_of_its_own(self) -> None:
        flows = [self.begin()[0] for _ in range(2)]
        secrets = {s for flow in flows for s in (flow.state, flow.nonce, flow.verifier)}
        self.assertEqual((len(secrets), {len(secret) for secret in secrets}), (6, {43}))

    def test_address(self) -> None:
        self.provider.metadata["authorization_endpoint"] = f"{self.provider.issuer}/go?tenant=1"
        _, url = self.run_async(self.client.begin(BACK))
        query = parse_qs(urlsplit(url).query)
        self.assertEqual((query["tenant"], query["redirect_uri"]), (["1"], [BACK]))

    def test_state(self) -> None:
        self.fails("state", state="")
        self.fails("state", state="\u00e4")
        self.fails("state", state=self.begin()[1]["state"])
        with self.assertRaises(LoginFailed):
            self.finish(self.begin()[0], {})

    def test_no_flow(self) -> None:
        flow, answer = self.begin()
        for wrong in (None, replace(flow, provider="other")):
            with self.assertRaises(LoginFailed):
                self.finish(wrong, answer)
        self.finish(flow, answer)

    def test_clients(self) -> None:
        self.assertEqual(
            [client.provider.issuer for client in self.clients], [self.provider.issuer]
        )
        self.assertEqual(self.clients.labels, {self.provider.issuer: self.client.label})
        self.assertTrue(self.clients)
        self.assertFalse(Clients({}, 60))

    def test_link_failed(self) -> None:
        failed = LoginFailed("state")
        error = LinkFailed(failed)
        self.assertEqual((error.message, error.details), (failed.message, failed.details))
        self.assertEqual(error.status, 403)

    def test_unknown_provider(self) -> None:
        with self.assertRaises(NotConfigured):
            self.clients["other"]

    def test_replayed(self) -> None:
        """A second code for the same flow does not help."""
        flow, url = self.run_async(self.client.begin(BACK))
        self.finish(flow, self.provider.log_in(url))
        with self.assertRaises(LoginFailed) as caught:
            self.finish(flow, self.provider.log_in(url))
        self.assertEqual(caught.exception.details[0]["reason"], "used")

    def test_replayed_at_once(self) -> None:
        flow, url = self.run_async(self.client.begin(BACK))
        answers = [self.provider.log_in(url) for _ in range(4)]

        async def finish_all() -> list[Identity | BaseException]:
            finishing = (self.client.finish(flow, answer) for answer in answers)
            return await asyncio.gather(*finishing, return_exceptions=True)

        results = self.run_async(finish_all())
        self.assertEqual(sum(isinstance(each, Identity) for each in results), 1)

    def test_another_verifier(self) -> None:
        """The provider compares the code's challenge: a stolen code is worth nothing."""
        flow, answer = self.begin()
        self.fails("answer", replace(flow, verifier="v" * 43), **answer)

    def test_another_redirect_address(self) -> None:
        flow, answer = self.begin()
        self.fails("answer", replace(flow, redirect_uri="https://evil.example"), **answer)

    def test_refused_by_the_provider(self) -> None:
        self.fails("refused", error="access_denied", code="")
        self.fails("answer", code="")
        self.fails("answer", code="wrong")

    def test_issuer_of_the_answer(self) -> None:
        """A mix-up of two providers, RFC 9207."""
        flow, answer = self.begin()
        self.finish(flow, {**answer, "iss": self.provider.issuer})
        self.fails("answer", iss="https://evil.example")
        self.provider.metadata["authorization_response_iss_parameter_supported"] = True
        self.client.metadata.max_age = self.client.metadata.pause = 0
        self.fails("answer")

    def test_in_a_transaction(self) -> None:
        with self.assertRaises(ServerError):
            self.run_async(in_transaction(lambda: self.client.begin(BACK)))


class SecretTest(ClientTest):
    def test_in_the_form(self) -> None:
        self.provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        self.log_in()

    def test_wrong(self) -> None:
        self.provider.answers["/token"] = 401, b'{"error": "invalid_client"}'
        self.unavailable()


class PublicClientTest(ClientTest):
    secret = None

    def test_valid(self) -> None:
        self.provider.metadata["token_endpoint_auth_methods_supported"] = ["none"]
        self.log_in()


class UserinfoTest(ClientTest):
    """A provider whose ID tokens have no email."""

    def setUp(self) -> None:
        super().setUp()
        self.provider.claims = {"email": None, "email_verified": None, "name": None}
        self.provider.about = {"sub": "ada", "email": "ada@example.com", "email_verified": "true"}

    def test_valid(self) -> None:
        identity = self.log_in()
        self.assertEqual((identity.email, identity.email_verified), ("ada@example.com", True))
        self.assertIsNone(identity.name)

    def test_of_another_person(self) -> None:
        self.provider.about["sub"] = "eve"
        self.assertIsNone(self.log_in().email)

    def test_the_id_token_counts_more(self) -> None:
        self.provider.about["iss"] = "https://evil.example"
        self.assertEqual(self.log_in().issuer, self.provider.issuer)

    def test_none(self) -> None:
        self.provider.tokens = {"access_token": None}
        self.assertIsNone(self.log_in().email)
        self.provider.tokens = {"access_token": "wrong"}
        self.assertIsNone(self.log_in().email)
        self.provider.metadata["userinfo_endpoint"] = None
        self.client.metadata.max_age = self.client.metadata.pause = 0
        self.assertIsNone(self.log_in().email)

    def test_too_long_for_a_cookie(self) -> None:
        """A browser drops a cookie of more than 4 kB, and the login with it."""
        self.provider.about |= {"email": f"{'a' * 5000}@example.com", "name": "A" * 5000}
        identity = self.log_in()
        self.assertEqual((identity.email, identity.name), (None, None))

    def test_other_types(self) -> None:
        self.provider.about = {"sub": "ada", "email": 5, "email_verified": 1, "name": ["Ada"]}
        identity = self.log_in()
        self.assertEqual((identity.email, identity.email_verified), (None, False))
        self.assertIsNone(identity.name)
