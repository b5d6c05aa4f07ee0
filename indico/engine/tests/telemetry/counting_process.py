"""A process that counts requests without a server: each line it reads is one command.

`count 3` counts three requests. `page` answers the page of `/metrics` as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Self

from ..sample.server import PROGRAM
from .scrape import Scraped


def main() -> None:
    from ...telemetry import exposition, metrics

    metrics.identify(PROGRAM.version)
    for line in sys.stdin:
        command, _, count = line.partition(" ")
        if command == "count":
            for _ in range(int(count)):
                metrics.count_request("system", "ping", 200, 0.001)
            answer: Any = None
        else:
            answer = exposition.page("sample_", exposition.choose("", "")).decode()
        print(json.dumps(answer), flush=True)  # noqa: T201


class CountingProcess:
    """The process, which counts in the folder that `PROMETHEUS_MULTIPROC_DIR` names."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def count(self, requests: int) -> None:
        self._ask(f"count {requests}")

    def scrape(self) -> Scraped:
        return Scraped(self._ask("page"))

    def end(self) -> None:
        """Close the pipe and wait, as often as a test likes."""
        self.process.communicate()

    def _ask(self, command: str) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{command}\n")
        return json.loads(self.process.stdout.readline())


if __name__ == "__main__":
    main()
