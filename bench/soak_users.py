"""The users of `bench soak`, each with documents and connections of their own.

Every byte of an answer is known before: it repeats the user's own tag and no other byte. So an
answer with a byte of another user, or of another request, is found at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bench.soak_connection import Connection

STALL_SECONDS = (0.01, 1.0)
PAUSE_SECONDS = (0.0, 0.05)
RETRY_SECONDS = (0.5, 1.5)  # around the `Retry-After` of a refusal
_MOST_PIPELINED = 8
_SIZES = (10, 100, 1000, 5000, 20_000)


@dataclass
class Soaked:
    """The counts of all users: requests by kind, and a sentence for each wrong answer."""

    requests: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    timed_out: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def checked(self) -> int:
        return sum(count for kind, count in self.requests.items() if kind != "cancelled")


class WrongAnswer(Exception):
    """An answer that is not the known one."""


class User:
    """A user with a tag, who reads and changes one note, and disturbs another."""

    def __init__(self, port: int, token: str, note_id: str, scratch_id: str, seen: Soaked) -> None:
        self._connection = Connection(port, token)
        self._note_id, self._scratch_id = note_id, scratch_id
        self._tag = secrets.token_hex(16)
        self._seen = seen
        self._title = ""
        self._count = 0
        self._random = random.Random(self._tag)  # noqa: S311

    async def run(self, until: float) -> None:
        """Do one thing after the other until this time of the loop's clock."""
        things: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self._write_and_read),
            (6, self._echo),
            (3, self._pipeline),
            (2, self._stall),
            (2, self._cancel),
        ]
        weights, calls = zip(*things, strict=True)
        while asyncio.get_running_loop().time() < until:
            await self.do(*self._random.choices(calls, weights))
            await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))
        self._connection.drop(abruptly=False)

    async def do(self, thing: Callable[[], Awaitable[None]]) -> None:
        """Do one thing, and note what is wrong with its answer."""
        try:
            await thing()
        except (WrongAnswer, OSError, asyncio.IncompleteReadError, ValueError) as error:
            self._seen.wrong.append(f"{type(error).__name__}: {error}")
            self._connection.drop(abruptly=True)

    async def _write_and_read(self) -> None:
        title = self._new_text(100)
        note = {"id": self._note_id, "title": title}
        if (written := await self._ask("write", "/note/update", note)) is None:
            return
        self._title = title
        read = await self._ask("read", "/note/get", {"id": self._note_id})
        for document in (written, read or written):
            self._compare((document["id"], document["title"]), (self._note_id, self._title))

    async def _echo(self) -> None:
        sent = self._new_echo()
        if (data := await self._ask("echo", "/system/echo", sent)) is not None:
            self._compare(data, sent)

    async def _pipeline(self) -> None:
        sent = [self._new_echo() for _ in range(self._random.randint(2, _MOST_PIPELINED))]
        ids = [self._new_id() for _ in sent]
        request = self._connection.request
        await self._connection.send(b"".join(map(request, ["/system/echo"] * len(sent), sent, ids)))
        for body, request_id in zip(sent, ids, strict=True):
            data = await self._answer("pipelined", request_id)
            if data is not None:
                self._compare(data, body)

    async def _stall(self) -> None:
        sent, request_id = self._new_echo(), self._new_id()
        whole = self._connection.request("/system/echo", sent, request_id)
        at = self._random.randrange(1, len(whole))
        pause = self._random.uniform(*STALL_SECONDS)
        await self._connection.send(whole[:at], whole[at:], pause=pause)
        await asyncio.sleep(self._random.uniform(*STALL_SECONDS))  # the answer waits too
        data = await self._answer("stalled", request_id)
        if data is not None:
            self._compare(data, sent)

    async def _cancel(self) -> None:
        """Drop the connection after a part of a request, or before its answer."""
        note = {"id": self._scratch_id, "title": self._new_text(100)}
        whole = self._connection.request("/note/update", note, self._new_id())
        await self._connection.send(whole[: self._random.choice((len(whole) // 2, len(whole)))])
        await asyncio.sleep(self._random.choice((0.0, 0.001, 0.01)))
        self._connection.drop(abruptly=self._random.random() < 0.5)
        self._seen.requests["cancelled"] += 1
        read = await self._ask("read", "/note/get", {"id": self._scratch_id})
        if read is not None and read["title"] != "Buy milk":  # as the data begin
            self._compare(read["title"].split()[0], self._tag)

    async def _ask(self, kind: str, path: str, body: Any) -> Any:
        """Return the data of the answer, None if the request was refused or timed out."""
        request_id = self._new_id()
        await self._connection.send(self._connection.request(path, body, request_id))
        return await self._answer(kind, request_id)

    async def _answer(self, kind: str, request_id: str) -> Any:
        status, its_id, body = await self._connection.answer()
        self._compare(its_id, request_id)
        self._seen.requests[kind] += 1
        if status == b"503":
            self._seen.refused += 1
            await asyncio.sleep(self._random.uniform(*RETRY_SECONDS))
            return None
        if status == b"504":
            self._seen.timed_out += 1
            return None
        self._compare(status, b"200")
        return json.loads(body)["data"]

    def _compare(self, got: Any, known: Any) -> None:
        if got != known:
            raise WrongAnswer(f"{got!r:.300} in place of {known!r:.300}")

    def _new_id(self) -> str:
        self._count += 1
        return f"{self._tag}-{self._count}"

    def _new_text(self, size: int) -> str:
        """Return about `size` characters that no other request has."""
        self._count += 1
        word = f"{self._tag} {self._count} "
        return (word * (size // len(word) + 1)).strip()

    def _new_echo(self) -> dict[str, str]:
        return {"text": self._new_text(self._random.choice(_SIZES))}
