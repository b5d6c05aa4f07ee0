"""Logins of `bench soak` that race with two changes of the password, which race with each other."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from bench.soak_connection import Connection

ACCOUNTS = 40
_AT_ONCE = 4
_LOGINS = 4  # at a time, to one account
_OLD, _NEW = "the old way to go 2015", ("a new way to go 2016", "another way to go 2017")


@dataclass
class Races:
    """The counts of all races, and a sentence for each rule that was broken."""

    accounts: int = 0
    unclear: int = 0  # accounts of which a change or the registration may be done, or not
    tokens: int = 0  # of logins with the old password
    wrong: list[str] = field(default_factory=list)


async def race(port: int) -> Races:
    """Change the passwords of `ACCOUNTS` new accounts, while clients log in with the old ones."""
    seen, numbers = Races(), iter(range(ACCOUNTS))

    async def some() -> None:
        for number in numbers:
            await _Race(port, f"race{number}@example.com", seen).run()

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    return seen


class _Race:
    """One account. Of two changes at once one is done, and no older token is valid after it."""

    def __init__(self, port: int, email: str, seen: Races) -> None:
        self._port, self._email, self._seen = port, email, seen
        self._tokens: list[str] = []
        self._over = False

    async def run(self) -> None:
        account = {"email": self._email, "password": _OLD}
        status, login = await self._ask("auth/register", account)
        if status != 201:
            self._seen.unclear += 1
            return
        racing = [asyncio.create_task(self._log_in(account)) for _ in range(_LOGINS)]
        changes = await asyncio.gather(*(self._change(login["token"], new) for new in _NEW))
        self._over = True
        await asyncio.gather(*racing)
        if max(changes) >= 500:
            self._seen.unclear += 1
        else:
            await self._judge(account, changes)

    async def _judge(self, account: dict[str, str], changes: list[int]) -> None:
        self._expect(sorted(changes) == [200, 403], f"the changes were answered {changes}")
        for password, done in zip(_NEW, changes, strict=True):
            status = await self._final("auth/login", {**account, "password": password})
            self._expect((status == 200) == (done == 200), f"a new password: {done}, {status}")
        status = await self._final("auth/login", account)
        self._expect(status == 401, f"the old password: {status}")
        for token in self._tokens:
            status = await self._final("auth/check", {}, token)
            self._expect(status == 401, f"a token of the old password: {status}")
        self._seen.accounts += 1
        self._seen.tokens += len(self._tokens)

    async def _log_in(self, account: dict[str, str]) -> None:
        """Log in with the old password, again and again until it is changed."""
        while not self._over:
            status, data = await self._ask("auth/login", account)
            if status == 200:
                self._tokens.append(data["token"])

    async def _change(self, token: str, new: str) -> int:
        passwords = {"current_password": _OLD, "new_password": new}
        return (await self._ask("user/change_password", passwords, token))[0]

    async def _final(self, path: str, body: Any, token: str = "") -> int:
        """Return the status of the first answer that is no fault of the server."""
        while (status := (await self._ask(path, body, token))[0]) >= 500:
            await asyncio.sleep(0.1)
        return status

    async def _ask(self, path: str, body: Any, token: str = "") -> tuple[int, Any]:
        """Return status and data, on a connection of its own; a refused call is repeated."""
        while True:
            connection = Connection(self._port, token)
            await connection.send(connection.request(f"/{path}", body, "race"))
            status, _, text = await connection.answer()
            connection.drop(abruptly=False)
            answer = json.loads(text)
            if status != b"503" or not answer["error"]["retryable"]:
                return int(status), answer["data"]
            await asyncio.sleep(0.1)

    def _expect(self, held: bool, otherwise: str) -> None:
        if not held:
            self._seen.wrong.append(f"{self._email}: {otherwise}")
