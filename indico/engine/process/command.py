"""The command that starts a server, and its `--stop`, `--reload` and `--status`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import log, standard_streams
from .. import settings as config
from ..broken_code import BrokenCode
from ..error import StartError
from ..program import Program
from ..settings import ServerSettings, SettingsError
from . import signals


def main(program: Program, argv: Sequence[str]) -> int:
    """Run the server until a signal ends it, and return the exit code of the process."""
    standard_streams.open_streams()
    commands = _commands()
    command, flags = commands.parse_known_args(argv)
    try:
        if command.action:
            return _act(command.action, program, flags, commands)
        settings = _load_settings(program, flags, commands)
        log.configure(settings.log_format, settings.log_level, settings.service_name)
        for problem in config.unknown_variables(settings):
            log.LOGGER.warning("%s", problem)
        signals.exit_on_stop()
        from .launch import launch  # --stop and the like need half of the time without it

        launch(program, settings, flags, command.replace)
    except SettingsError as error:
        standard_streams.complain(str(error))
        return 2
    except StartError as error:
        standard_streams.complain(str(error))
        return 1
    except signals.SecondStop:
        return 1
    return 0


def _commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = parser.add_mutually_exclusive_group()
    for name, does in (
        ("stop", "let the server of --pid-file drain, and wait until it has ended"),
        ("reload", "give it workers with new code and settings, and wait until they serve"),
        ("status", "say whether it runs: exit code 0 if so, 1 if a crash left the file, else 3"),
    ):
        group.add_argument(f"--{name}", dest="action", action="store_const", const=name, help=does)
    group.add_argument(
        "--replace", action="store_true", help="stop the server of --pid-file, then start"
    )
    return parser


def _load_settings(
    program: Program, flags: Sequence[str], commands: argparse.ArgumentParser
) -> ServerSettings:
    """Return the settings, which with `debug` wait until their module can be imported."""
    try:
        kind = program.settings_class()
    except BrokenCode as error:
        if _own_settings(program, flags, commands).debug:
            from . import autoreload

            log.configure("text")
            autoreload.wait_for_fix(program, flags, str(error))
        raise
    return config.load(kind, flags, commands, program=program.command)


def _own_settings(
    program: Program, flags: Sequence[str], commands: argparse.ArgumentParser
) -> ServerSettings:
    """Return the engine's own settings, which can be read while the project's code is broken."""

    class Settings(ServerSettings, env_prefix=program.env_prefix, extra="ignore"):
        """The engine's settings, without the project's own."""

    return config.load(Settings, flags, commands, program=program.command)


def _act(
    action: str, program: Program, flags: Sequence[str], commands: argparse.ArgumentParser
) -> int:
    """Do what `--stop`, `--reload` or `--status` asks for, and return the exit code.

    These commands work while the project's code is broken, because they import none of it.
    """
    from . import control  # Windows has no such locks

    return control.act(action, _own_settings(program, flags, commands))
