"""`Client` for asyncio, and `BlockingClient` for everything else."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from typing import Any, Self, TypeVar

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from .error import KINDS, CallError, NoAnswer

T = TypeVar("T")
Body = Mapping[str, Any]

_CONNECTIONS = 100
_LONGEST_PAUSE = 5.0
_GRACE_SECONDS = 0.5  # for the server to answer that the time is up
_MAYBE_DONE = {0, 502, 503, 504}  # statuses after which nobody knows whether the call was made


class Client:
    """A client of the API at `url`.

    A call takes `timeout` seconds at most, with all its tries. The server learns how many are left.
    """

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = 30, retries: int = 4
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.timeout = timeout
        self.retries = retries
        self._http = AsyncHTTPClient(force_instance=True, max_clients=_CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    async def login(self, email: str, password: str) -> Any:
        """Log in, keep the token for the next calls, and return the answer."""
        answer = await self.call("auth/login", {"email": email, "password": password})
        self.token = answer["token"]
        return answer

    async def call(
        self,
        action: str,
        body: Body | None = None,
        *,
        timeout: float | None = None,
        repeatable: bool = False,
        once: bool = False,
    ) -> Any:
        """Return the `data` that an action like `user/get` answers. Raises `CallError`.

        The call is tried again if the error says so. If its answer is lost, then only a
        `repeatable` action is tried again: one that is marked read-only or idempotent. With `once`
        any call is, and happens once, because all its tries have the same `Idempotency-Key`.
        """
        key = str(uuid.uuid4()) if once else None
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        attempt = 0
        while True:
            try:
                return await self._send(action, body or {}, end - time.monotonic(), key)
            except CallError as error:
                pause = max(_pause(attempt), error.retry_after)
                again = error.retryable or ((repeatable or once) and error.status in _MAYBE_DONE)
                if not again or attempt == self.retries or time.monotonic() + pause >= end:
                    raise
            await asyncio.sleep(pause)
            attempt += 1

    async def items(self, action: str, body: Body | None = None) -> AsyncIterator[Any]:
        """Yield the items of a list, from its first page to its last."""
        cursor: str | None = None
        while True:
            asked = {**(body or {}), **({"cursor": cursor} if cursor else {})}
            page = await self.call(action, asked, repeatable=True)
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                break

    async def _send(self, action: str, body: Body, seconds: float, key: str | None) -> Any:
        headers = {"Connect-Timeout-Ms": str(max(1, int(seconds * 1000)))}
        if key is not None:
            headers["Idempotency-Key"] = key
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        timeout = max(seconds, 0) + _GRACE_SECONDS
        request = HTTPRequest(
            f"{self.url}/{action}",
            method="POST",
            headers=headers,
            body=json.dumps(body),
            connect_timeout=timeout,
            request_timeout=timeout,
            follow_redirects=False,
        )
        try:
            return _data(await self._http.fetch(request, raise_error=False))
        except (HTTPClientError, OSError) as error:
            unsent = isinstance(error, ConnectionRefusedError | socket.gaierror)
            raise NoAnswer(0, f"{self.url}: {error}", {"retryable": unsent}) from error


class BlockingClient:
    """The same calls for code without an event loop.

    with BlockingClient("https://api.example.com", token) as client:
        user = client.call("user/get", repeatable=True)
    """

    def __init__(self, url: str, token: str | None = None, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = self._run(_made(url, token, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        self._runner.close()

    def login(self, email: str, password: str) -> Any:
        """Log in, keep the token for the next calls, and return the answer."""
        return self._run(self._client.login(email, password))

    def call(self, action: str, body: Body | None = None, **options: Any) -> Any:
        """Return what `Client.call` returns, with the same options."""
        return self._run(self._client.call(action, body, **options))

    def items(self, action: str, body: Body | None = None) -> Iterator[Any]:
        """Yield the items of a list, from its first page to its last."""
        items, end = self._client.items(action, body), object()
        while (item := self._run(_following(items, end))) is not end:
            yield item

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


async def _made(url: str, token: str | None, **options: Any) -> Client:
    return Client(url, token, **options)


async def _following(items: AsyncIterator[Any], end: object) -> Any:
    return await anext(items, end)


def _pause(attempt: int) -> float:
    """Return seconds that double with each attempt, spread so that clients don't come together."""
    longest: float = min(0.1 * 2**attempt, _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1)


def _data(response: HTTPResponse) -> Any:
    """Return the `data` of an answer. Raises the `CallError` in it."""
    try:
        envelope: Any = json.loads(response.body)
        status, data, about = envelope["status"], envelope["data"], envelope.get("error")
    except (ValueError, TypeError, KeyError):  # the answer of a proxy
        seconds = response.headers.get("Retry-After", "")
        about = {"retry_after": int(seconds) if seconds.isdecimal() else 0}
        raise CallError(response.code, f"{response.code} {response.reason}", about) from None
    if about is None:
        return data
    raise KINDS.get(about["code"], CallError)(status, data, about)
