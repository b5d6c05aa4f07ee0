"""The reload when a source file changes: the setting `debug`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .. import offload, tasks
from .. import settings as config
from ..log import LOGGER
from ..program import Program
from ..settings import SettingsError

PROJECT = Path(__file__).parents[2]
LOOK_SECONDS = 0.3


def start(program: Program, flags: Sequence[str]) -> None:
    """Watch the project's source files, until the running event loop ends."""
    tasks.start(_watch(program, flags, _times()))


async def _watch(program: Program, flags: Sequence[str], seen: dict[Path, int]) -> None:
    """Start the process anew when a file has changed and the new code can be imported.

    Until then the old code serves, and the log says what is wrong with the new code.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = _times()
        if now == seen:
            continue
        seen = now
        if error := await _error(program, flags):
            LOGGER.error("not reloaded, the old code goes on: %s", error)
        elif _times() == seen:  # else another file was saved meanwhile
            LOGGER.info("a source file has changed: starting anew")
            offload.stop()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _times() -> dict[Path, int]:
    """Return when each source file was changed, in nanoseconds."""
    times = {}
    for file in PROJECT.rglob("*.py"):
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
    except SettingsError as error:
        problem = str(error)
    except Exception as error:
        problem = _described(error, PROJECT.parent.joinpath(*program.package.split(".")))
    else:
        return 0
    sys.stderr.write(" ".join(problem.split()) + "\n")
    return 1


def _described(error: Exception, folder: Path) -> str:
    """Return the error, after the last place in `folder` that is not the engine's."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {kind}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    engine = folder / __package__.split(".")[-2]
    own = [
        frame
        for frame in frames
        if folder in Path(frame.filename).parents and engine not in Path(frame.filename).parents
    ]
    place = (own or frames)[-1]
    return f"{place.filename}, line {place.lineno}: {kind}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
