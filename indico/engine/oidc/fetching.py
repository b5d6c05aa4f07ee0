"""`Fetcher`: requests to a provider's server, limited in time, size and number."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlencode

import orjson
from tornado.httpclient import HTTPError, HTTPRequest

from ..http.outgoing import OutgoingClient
from ..log import LOGGER
from ..mongo.turns import turn
from .error import ProviderUnavailable

MAX_BYTES = 1 << 18
# A slow provider holds back at most this many logins. The others wait for a place, or time out.
MAX_REQUESTS = 32
_LEAST_SECONDS = 0.001  # because 0 is no timeout to Tornado


class Fetcher:
    """The HTTP client for one provider, which must answer a JSON object within `seconds`.

    The time that a request waits for its turn counts.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self.seconds = seconds
        self._name = name

    @cached_property
    def _client(self) -> OutgoingClient:
        # Made late, because a client belongs to the loop that runs.
        return OutgoingClient(
            force_instance=True, max_clients=MAX_REQUESTS, max_body_size=MAX_BYTES
        )

    async def fetch(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the object of an answer; a `form` is sent by POST.

        Raises `ProviderUnavailable` if there is no such answer. Redirects are not followed.
        """
        time = asyncio.get_running_loop().time
        end = time() + self.seconds
        busy = partial(self.unavailable, f"{url}: too many others wait for an answer")
        async with turn(self, MAX_REQUESTS, busy, self.seconds):
            seconds = max(end - time(), _LEAST_SECONDS)
            request = HTTPRequest(
                url,
                method="GET" if form is None else "POST",
                headers={"Accept": "application/json", **(headers or {})},
                body=None if form is None else urlencode(form),
                connect_timeout=seconds,
                request_timeout=seconds,
                follow_redirects=False,
            )
            try:
                answer = await self._client.fetch(request, raise_error=False)
                document = orjson.loads(answer.body)
            except (HTTPError, OSError, ValueError) as error:
                raise self.unavailable(f"{url}: {error}") from None
        if not isinstance(document, dict) or not (answer.code < 300 or 400 <= answer.code < 500):
            raise self.unavailable(f"{url} answered {answer.code}")
        return answer.code, document

    def unavailable(self, why: str) -> ProviderUnavailable:
        """Return the error to raise, and log the reason, which is not for the person."""
        LOGGER.warning("login with %s: %s", self._name, why)
        return ProviderUnavailable()
