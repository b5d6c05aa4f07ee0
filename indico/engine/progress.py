"""The lines that tell how far a long work is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from .log import LOGGER

LOG_SECONDS: float = 5


class Progress:
    """Lines on `terminal`, or in the log without one.

    A count is a line that changes on a terminal, and a line every few seconds in the log.
    """

    def __init__(self, terminal: TextIO | None = None) -> None:
        self._terminal = terminal
        self._counted_at = time.monotonic()

    def say(self, line: str) -> None:
        if self._terminal:
            print(f"{line}\x1b[K", file=self._terminal, flush=True)
        else:
            LOGGER.info("%s", line)

    def count(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of about `total` are done."""
        total = max(done, total)
        line = f"{what}: {done:,} of {total:,} ({100 * done // max(total, 1)} %)"
        if self._terminal:
            print(f"{line}\x1b[K", end="\r", file=self._terminal, flush=True)
        elif time.monotonic() >= self._counted_at + LOG_SECONDS:
            self._counted_at = time.monotonic()
            LOGGER.info("%s", line)


def on_terminal() -> Progress:
    """Return progress for the terminal, or for the log if the output goes elsewhere."""
    return Progress(sys.stdout if sys.stdout.isatty() else None)
