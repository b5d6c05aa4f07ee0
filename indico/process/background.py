"""Going on in the background, and telling who started us how that went."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from daemon import DaemonContext


def detach(keep: Sequence[Any]) -> Callable[[int], None]:
    """Returns in the background, with what is in `keep` (sockets, files) still open.

    The process that was started waits until the function that this returns is called, and leaves
    with the code that it is given; with 1 if we end before. Until then its terminal shows what we
    say.
    """
    reads, writes = os.pipe()
    if os.fork():
        os.close(writes)
        code = os.read(reads, 1)
        os._exit(code[0] if code else 1)
    os.close(reads)
    umask = os.umask(0)
    DaemonContext(
        detach_process=True,
        working_directory=os.getcwd(),
        umask=umask,
        files_preserve=[*keep, writes],
        stdout=sys.stdout,
        stderr=sys.stderr,
        signal_map={},
    ).open()

    def report(code: int) -> None:
        with suppress(BrokenPipeError):
            os.write(writes, bytes([code]))
        os.close(writes)

    return report
