"""`load` reads settings: from flags, the environment, the file of variables and a YAML file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from .server_settings import ServerSettings
from .variables import read_env_file

S = TypeVar("S", bound=ServerSettings)
Kind = type[ServerSettings]


class SettingsError(Exception):
    """An error with a line for every wrong setting: its name, its value and what is allowed."""


def load(
    kind: type[S], argv: Sequence[str], *others: argparse.ArgumentParser, program: str = ""
) -> S:
    """Return settings of `kind` from the flags in `argv`, the environment and files.

    `--help` names `program`, and shows the flags and the description of `others` too. Raises
    `SettingsError` for wrong values. Raises `SystemExit`, as argparse does, for `--help` and for
    an unknown flag. A `kind` with `extra="ignore"` ignores unknown flags and lines of the file.
    """
    parser = _parser(kind, others, program)
    known, unknown = parser.parse_known_args(argv)
    if unknown and kind.model_config["extra"] == "forbid":
        # argparse itself would show them whole, and they may hold passwords.
        names = " ".join(word.split("=")[0] for word in unknown if word.startswith("-"))
        parser.error(f"there is no such flag: {names or 'a word that belongs to no flag'}")
    flags = {name: value for name, value in vars(known).items() if name in kind.model_fields}
    file = getattr(known, "config", None)
    values = {} if file is None else _read(file)

    try:
        return _with_files(kind, values)(**flags)
    except ValidationError as error:
        lines = [_line(kind, dict(problem)) for problem in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _with_files(kind: type[S], values: dict[str, Any]) -> type[S]:
    """Return `kind` with sources for the file of variables, and for the YAML file's `values`."""

    class Loaded(kind):  # type: ignore[valid-type, misc]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            given = {**values, **env_settings(), **init_settings()}
            file = InitSettingsSource(settings_cls, values)
            return init_settings, env_settings, _env_file(kind, given), file

    return Loaded


def _env_file(kind: Kind, given: Mapping[str, Any]) -> PydanticBaseSettingsSource:
    """Return the source of the file of variables, which production does not read.

    `given` are the settings of all other sources.
    """
    defaults = {name: kind.model_fields[name].default for name in ("environment", "env_file")}
    environment, file = (str(given.get(name, default)) for name, default in defaults.items())
    try:
        source = read_env_file(kind, None if environment == "production" else file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"env_file: {file} can't be read: {why}") from None
    if source().get("environment") == "production":
        raise SettingsError(
            f"environment: {file} can't say production, which does not read this file: "
            "set it by its flag or in the environment"
        )
    return source


def given_flags(kind: Kind, argv: Sequence[str]) -> dict[str, Any]:
    """Return the flags in `argv`, `config` included, as text."""
    return vars(_parser(kind, ()).parse_known_args(argv)[0])


def _parser(
    kind: Kind, others: Sequence[argparse.ArgumentParser], program: str = ""
) -> argparse.ArgumentParser:
    does = "".join(other.description or "" for other in others) or "Runs the API server."
    parser = argparse.ArgumentParser(
        prog=program,
        description=f"{does} A flag beats the environment, which beats the files.",
        allow_abbrev=False,
        parents=others,
    )
    parser.add_argument(
        "--config", metavar="FILE", default=argparse.SUPPRESS, help="YAML file with settings"
    )
    for name, field in kind.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, **_flag(kind, name, field))
    return parser


def _flag(kind: Kind, name: str, field: FieldInfo) -> dict[str, Any]:
    variable = env_name(kind, name)
    text = f"{field.description} (default: {shown_default(field)}; environment: {variable})"
    flag: dict[str, Any] = {
        "default": argparse.SUPPRESS,
        "help": text.replace("%", "%%"),
    }
    if field.annotation in (bool, bool | None):
        return flag | {"action": argparse.BooleanOptionalAction}
    if get_origin(field.annotation) is Literal:
        return flag | {"metavar": "|".join(get_args(field.annotation))}
    return flag | {"metavar": "VALUE"}


def shown_default(field: FieldInfo) -> str:
    """Return a default as text for a person. The default of a secret is public, so it is shown."""
    default = field.default
    text = default.get_secret_value() if isinstance(default, SecretStr) else default
    return "unset" if text in (None, (), {}) else str(text)


def env_name(kind: Kind, name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return f"{kind.model_config['env_prefix']}{name.upper()}"


def _read(file: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"config: {file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)  # the whole error would show the line itself
        where = f", line {mark.line + 1}" if mark else ""
        raise SettingsError(f"config: {file} is not YAML{where}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"config: {file} must be a list of lines like `port: 8888`")
    return values


def _line(kind: Kind, problem: dict[str, Any]) -> str:
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields)
        return f"{name}: there is no such setting; known are {known}"
    field = kind.model_fields[name]
    secret = "SecretStr" in str(field.annotation) or not field.repr
    value = "the value" if secret else repr(problem["input"])
    why = problem["msg"].removeprefix("Value error, ")
    if secret and problem["type"] == "too_short":  # pydantic speaks of items
        why = f"it has fewer than {problem['ctx']['min_length']} characters"
    return f"{name}: {value} is not allowed: {why} ({field.description})"
