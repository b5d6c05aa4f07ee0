"""A command of the project that works on the database of the settings, and ends."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast

from .. import log, offload, standard_streams
from .. import settings as config
from ..error import APIError, StartError
from ..mongo.connection import disconnect
from ..mongo.embedded import Embedded
from ..program import Program
from ..progress import Progress, on_terminal
from ..settings import ServerSettings, SettingsError
from . import signals
from .database import connect_to
from .launch import embedded_mongodb

INTERRUPTED = 130

S = TypeVar("S", bound=ServerSettings)
Work = Callable[[ServerSettings, Embedded | str], Coroutine[Any, Any, int]]


def run_script(
    program: Program, options: argparse.ArgumentParser, flags: Sequence[str], work: Work
) -> int:
    """Run `work` with the embedded MongoDB, or with the URI of another, and return its exit code.

    `flags` are settings; `--help` shows `options` too. A signal cancels the work. The code is 1 for
    an error, and 2 for wrong settings.
    """
    try:
        settings = config.load(program.settings_class(), flags, options, program=options.prog)
        log.configure(settings.log_format, settings.log_level, settings.service_name)
        signals.exit_on_stop()
        with embedded_mongodb(settings) as embedded:
            try:
                return asyncio.run(_until_signal(work(settings, embedded or settings.uri)))
            finally:
                signals.ignore()
                offload.stop()
    except SettingsError as error:
        standard_streams.complain(str(error))
        return 2
    except (StartError, APIError) as error:
        standard_streams.complain(str(error))
        return 1


def run_in_development(
    program: Program,
    options: argparse.ArgumentParser,
    flags: Sequence[str],
    work: Callable[[S, Progress], Coroutine[Any, Any, None]],
) -> int:
    """Run `work` as `run_script` does, with `mongodb` open as a server has it.

    `work` gets the project's settings. Production is refused.
    """

    async def on_database(settings: ServerSettings, origin: Embedded | str) -> int:
        if settings.environment == "production":
            raise StartError(f"{options.prog} is for development, but environment is production.")
        await connect_to(program, settings, origin)
        try:
            await work(cast(S, settings), on_terminal())
        finally:
            await disconnect()
        return 0

    return run_script(program, options, flags, on_database)


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    code = INTERRUPTED

    async def run() -> None:
        nonlocal code
        code = await work

    await signals.Stop(signals.STOP).unless_asked(run())
    return code
