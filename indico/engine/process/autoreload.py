"""The reload when a source file changes: the setting `debug`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .. import offload, tasks
from .. import settings as config
from ..error import StartError
from ..log import LOGGER
from ..program import Program
from ..settings import SettingsError
from . import signals

PROJECT = Path(__file__).parents[2]
LOOK_SECONDS = 0.3
_SOURCES = {".py", ".html", ".css", ".js", ".svg"}


def start(program: Program, flags: Sequence[str]) -> None:
    """Watch the project's source files, until the running event loop ends."""
    tasks.start(_watch(program, flags, _times()))


def wait_for_fix(program: Program, flags: Sequence[str], error: str) -> None:
    """Wait until the project's code can be imported, and start the process anew.

    `error` was wrong with the code. A fix that is saved before this begins counts too.
    """
    signals.exit_on_stop()
    LOGGER.error("waiting for a fix: %s", error)
    asyncio.run(_watch(program, flags, {}, error))


async def _watch(
    program: Program, flags: Sequence[str], seen: dict[Path, int], known: str = ""
) -> None:
    """Start the process anew when a file has changed and the new code can be imported.

    Until then the log says what is wrong with the new code; `known` was said already. The old code
    goes on to serve, unless it was `known` as wrong.
    """
    consequence = "waiting for a fix" if known else "not reloaded, the old code goes on"
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = _times()
        if now == seen:
            continue
        seen = now
        if error := await _error(program, flags):
            if error != known:
                LOGGER.error("%s: %s", consequence, error)
            known = ""
        elif _times() == seen:  # else another file was saved meanwhile
            LOGGER.info("a source file has changed: starting anew")
            offload.stop()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _times() -> dict[Path, int]:
    """Return when each source file was changed, in nanoseconds."""
    times = {}
    for file in PROJECT.rglob("*.*"):
        if file.suffix in _SOURCES:
            with suppress(FileNotFoundError):  # an editor has removed its own file
                times[file] = file.stat().st_mtime_ns
    return times


async def _error(program: Program, flags: Sequence[str]) -> str:
    """Return what is wrong with the new code, "" if nothing is. Another process imports it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, json.dumps(program), *flags),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, printed = await process.communicate()
    finally:
        if process.returncode is None:  # the server stops meanwhile
            process.kill()
    lines = printed.decode(errors="replace").splitlines() or [f"exit code {process.returncode}"]
    return lines[-1] if process.returncode else ""


def main(arguments: Sequence[str]) -> int:
    """Make the application of today's code, and print in one line why that fails."""
    program = Program(*json.loads(arguments[0]))
    try:
        program.app(config.load(program.settings_class(), arguments[1:]))
    except (SettingsError, StartError, ValueError) as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
