"""Updates of one document that race, each under the condition that the version is the read one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bench.soak_connection import Connection

UPDATES = 240
_AT_ONCE = 12


async def race(port: int) -> tuple[int, int]:
    """Count `UPDATES` in an entry of a new user; return the count that is stored, and 412s."""
    account = {"email": "racer@example.com", "name": "Racer", "password": "a long way to go 2015"}
    token = (await _Client(port, "").ask("auth/register", account))["token"]
    client = _Client(port, token)
    entry = await client.ask("address/create", {"entry": {"name": "count", "count": 0}})
    counters = [_Client(port, token) for _ in range(_AT_ONCE)]
    await asyncio.gather(*(one.count(entry["id"], UPDATES // _AT_ONCE) for one in counters))
    client = _Client(port, token)  # the first one was idle for too long, maybe
    stored = await client.ask("address/get", {"id": entry["id"]})
    return stored["entry"]["count"], sum(one.lost for one in counters)


class _Client:
    def __init__(self, port: int, token: str) -> None:
        self._connection = Connection(port, token)
        self.lost = 0  # races

    async def count(self, entry_id: str, times: int) -> None:
        """Add 1 to the count `times`, and read it anew after each race that is lost."""
        while times:
            read = await self.ask("address/get", {"id": entry_id})
            entry = {**read["entry"], "count": read["entry"]["count"] + 1}
            change = {"id": entry_id, "entry": entry, "version": read["version"]}
            if await self.ask("address/update", change) is None:
                self.lost += 1
            else:
                times -= 1

    async def ask(self, path: str, body: Any) -> Any:
        """Return the data of the answer; None if the version is another one by now."""
        request = self._connection.request(f"/{path}", body, "race")
        while True:
            await self._connection.send(request)
            status, _, text = await self._connection.answer()
            if status in (b"200", b"201"):
                return json.loads(text)["data"]
            if status == b"412":
                return None
            if status not in (b"409", b"503"):
                raise ChildProcessError(f"{path}: {text.decode()}")
            await asyncio.sleep(0.1)
