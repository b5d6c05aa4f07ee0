"""A process whose clients take tokens of one bucket.

`python -m` this module takes the URI and the name of a database. It prints a line once it is
connected, waits for a line, and prints how many tokens its clients have got until a refusal.
"""

from __future__ import annotations

import asyncio
import sys

CLIENTS = 5


async def main(uri: str, database: str) -> None:
    from ...error import RateLimited
    from ...limits.bucket import Bucket
    from ...limits.buckets import take
    from ...limits.rate import Rate
    from ...mongo.connection import connect, disconnect

    async def client() -> int:
        taken = 0
        while True:
            try:
                await take(Bucket("Test.take", "user", "ada", Rate(1000, 24 * 3600)))
            except RateLimited:
                return taken
            taken += 1

    await connect(uri, database, "pymongo")
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    print(sum(await asyncio.gather(*(client() for _ in range(CLIENTS)))))  # noqa: T201
    await disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
