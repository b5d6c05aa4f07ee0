"""`ClientTest`: a test of the client of a provider that the test itself runs."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SecretStr

from ...oidc.client import Client
from ...oidc.clients import Clients
from ...oidc.error import LoginFailed, ProviderUnavailable
from ...oidc.flow import Flow
from ...oidc.identity import Identity
from ...oidc.provider import Provider
from ..server_test import ServerTest
from .provider_server import CLIENT_ID, CLIENT_SECRET, ProviderServer

BACK = "https://here.example/callback"


class ClientTest(ServerTest):
    """Base of tests with a `provider`, and `clients` that know it as "test"."""

    varies_with: ClassVar[tuple[str, ...]] = ()
    secret: str | None = CLIENT_SECRET

    def setUp(self) -> None:
        super().setUp()
        self.provider = self.run_async(self.start())
        self.forget()

    def forget(self) -> None:
        """Make new clients, which know nothing of the provider yet."""
        secret = SecretStr(self.secret) if self.secret else None
        issuer = self.provider.issuer
        known = Provider(issuer=issuer, client_id=CLIENT_ID, client_secret=secret)
        self.clients = Clients({"test": known}, 60)

    async def start(self) -> ProviderServer:
        return ProviderServer()  # the end of the loop closes it

    @property
    def client(self) -> Client:
        return self.clients["test"]

    def begin(self, next_path: str = "", user: str = "") -> tuple[Flow, dict[str, str]]:
        """Return a flow, and what the provider answers once a person has logged in."""
        flow, url = self.run_async(self.client.begin(BACK, next_path, user))
        return flow, self.provider.log_in(url)

    def finish(self, flow: Flow | None, answer: dict[str, Any]) -> Identity:
        return self.run_async(self.clients.finish(flow, answer))

    def log_in(self) -> Identity:
        return self.finish(*self.begin())

    def fails(self, reason: str, flow: Flow | None = None, **answer: str) -> None:
        """Assert that a login fails for this reason, with these fields of the answer."""
        begun, right = self.begin()
        with self.assertRaises(LoginFailed) as caught:
            self.finish(flow or begun, {**right, **answer})
        self.assertEqual(caught.exception.details[0]["reason"], reason)

    def unavailable(self) -> None:
        with self.assertRaises(ProviderUnavailable):
            self.log_in()
