"""Providers that are down, slow or wrong, and what is kept of them."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from tornado.httpclient import HTTPRequest

from ...http.outgoing import OutgoingClient
from ...log import LOGGER
from ...mongo.turns import _turns, turn
from ...oidc import fetching
from ...oidc.error import ProviderUnavailable
from ...oidc.fetching import MAX_BYTES
from .client_test import BACK, ClientTest
from .provider_server import METADATA

PATHS = (METADATA, "/token", "/keys")


class UnavailableTest(ClientTest):
    def setUp(self) -> None:
        super().setUp()
        self.client.metadata.pause = self.client.keys.pause = 0

    def test_down(self) -> None:
        self.provider.close()
        self.unavailable()

    def test_down_before_the_return(self) -> None:
        flow, answer = self.begin()
        self.provider.close()
        with self.assertRaises(ProviderUnavailable):
            self.finish(flow, answer)

    def test_slow(self) -> None:
        self.provider.silent = {METADATA}
        self.client.server.seconds = 0.05
        self.unavailable()

    def test_slow_token(self) -> None:
        self.provider.silent = {"/token"}
        flow, answer = self.begin()
        self.client.server.seconds = 0.05
        with self.assertRaises(ProviderUnavailable):
            self.finish(flow, answer)

    def test_slow_keys(self) -> None:
        self.provider.silent = {"/keys"}
        sign = self.provider.sign

        def sign_and_hurry(header: dict[str, Any], claims: dict[str, Any]) -> str:
            self.client.server.seconds = 0.05
            return sign(header, claims)

        self.provider.sign = sign_and_hurry
        self.unavailable()

    def test_waiting_counts(self) -> None:
        """A request has less time if it had to wait for its turn."""
        server = self.client.server
        left: list[Any] = []
        fetch = OutgoingClient.fetch

        def recorded(client: OutgoingClient, request: HTTPRequest, **kwargs: Any) -> Any:
            left.extend((request.connect_timeout, request.request_timeout))
            return fetch(client, request, **kwargs)

        async def wait_and_fetch() -> float:
            time = asyncio.get_running_loop().time
            async with turn(server):
                fetched = asyncio.create_task(server.fetch(self.provider.issuer + METADATA))
                while not _turns[server]._waiters:
                    await asyncio.sleep(0)
                began = time()
                await asyncio.sleep(0.01)
                waited = time() - began
            await fetched
            return waited

        self.forget()
        with patch.object(OutgoingClient, "fetch", recorded):
            waited = self.run_async(wait_and_fetch())
        connect_timeout, request_timeout = left
        self.assertLessEqual(connect_timeout, server.seconds - waited)
        self.assertEqual(connect_timeout, request_timeout)

    def test_no_turn(self) -> None:
        self.provider.silent = {"/silent"}

        async def fetch() -> None:
            server = self.client.server
            first = asyncio.create_task(server.fetch(f"{self.provider.issuer}/silent"))
            while not self.provider.asked:
                await asyncio.sleep(0)
            server.seconds = 0.01
            try:
                await server.fetch(f"{self.provider.issuer}/second")
            finally:
                first.cancel()

        self.forget()
        logs, one_at_a_time = (
            self.assertLogs(LOGGER, "WARNING"),
            patch.object(fetching, "MAX_REQUESTS", 1),
        )
        with logs as logged, one_at_a_time, self.assertRaises(ProviderUnavailable):
            self.run_async(fetch())
        self.assertIn("/second: too many others wait for an answer", logged.output[0])
        self.assertEqual(self.provider.asked, ["/silent"])

    def test_wrong_answers(self) -> None:
        answers = [(500, b"{}"), (302, b"{}"), (200, b"x"), (200, b"[]")]
        for path in PATHS:
            for status, body in answers:
                self.provider.answers = {path: (status, body)}
                self.forget()
                with self.subTest(path=path, status=status, body=body[:10]):
                    self.unavailable()

    def test_large_answers(self) -> None:
        large = {"padding": "x" * MAX_BYTES}
        self.provider.tokens = large
        self.unavailable()
        self.provider.tokens, self.provider.metadata = {}, large
        self.forget()
        self.unavailable()

    def test_metadata_that_can_not_be_used(self) -> None:
        for changes in (
            {"issuer": "https://evil.example"},
            {"issuer": f"{self.provider.issuer}/"},
            {"token_endpoint": None},
            {"jwks_uri": 5},
            {"token_endpoint": "ftp://evil.example"},
            {"userinfo_endpoint": "file:///etc/passwd"},
        ):
            self.provider.metadata = changes
            with self.subTest(changes):
                self.unavailable()
        self.provider.metadata = {}
        self.provider.answers[METADATA] = 404, b"{}"
        self.unavailable()

    def test_not_asked_again_at_once(self) -> None:
        self.client.metadata.pause = 3600
        self.provider.answers[METADATA] = 500, b"{}"
        for _ in range(3):
            self.unavailable()
        self.assertEqual(self.provider.asked, [METADATA])


class RenewalTest(ClientTest):
    def test_kept(self) -> None:
        for _ in range(3):
            self.log_in()
        self.assertEqual([self.provider.asked.count(path) for path in PATHS], [1, 3, 1])

    def test_renewed(self) -> None:
        self.begin()
        self.client.metadata.max_age = self.client.metadata.pause = 0
        self.provider.metadata["authorization_endpoint"] = f"{self.provider.issuer}/new"
        _, url = self.run_async(self.client.begin(BACK))
        self.assertTrue(url.startswith(f"{self.provider.issuer}/new?"))

    def test_old_while_a_renewal_fails(self) -> None:
        self.begin()
        self.client.metadata.max_age = self.client.metadata.pause = 0
        self.provider.answers[METADATA] = 500, b"{}"
        self.log_in()

    def test_one_request_for_all(self) -> None:
        async def begin_many() -> None:
            await asyncio.gather(*(self.client.begin(BACK) for _ in range(5)))

        self.run_async(begin_many())
        self.assertEqual(self.provider.asked, [METADATA])

    def test_a_caller_that_gives_up(self) -> None:
        """The request goes on for the others."""

        async def give_up() -> None:
            first = asyncio.ensure_future(self.client.begin(BACK))
            second = asyncio.ensure_future(self.client.begin(BACK))
            await asyncio.sleep(0)
            first.cancel()
            await second

        self.run_async(give_up())
        self.assertEqual(self.provider.asked, [METADATA])
