"""Processes whose clients take tokens of one bucket.

`python -m` this module takes the URI and the name of a database, and a number of processes, which
it forks. Each prints a line once it is connected, waits for a byte, and prints how many tokens its
clients have got until a refusal.
"""

from __future__ import annotations

import asyncio
import os
import sys

CLIENTS = 5


def main(uri: str, database: str, processes: str) -> None:
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

    async def run() -> None:
        await connect(uri, database, "pymongo")
        os.write(1, b"ready\n")  # as a whole, because the processes share their output
        os.read(0, 1)
        taken = await asyncio.gather(*(client() for _ in range(CLIENTS)))
        os.write(1, b"%d\n" % sum(taken))
        await disconnect()

    others = range(int(processes) - 1)
    for _ in others:  # after the imports, which take longer than all the rest
        if os.fork() == 0:
            asyncio.run(run())
            os._exit(0)
    asyncio.run(run())
    for _ in others:
        os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
