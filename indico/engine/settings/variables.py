"""Environment variables: those in the file `env_file`, and those that are no settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

from pydantic_settings import DotEnvSettingsSource

from .server_settings import ServerSettings


def read_env_file(kind: type[ServerSettings], file: str | None) -> DotEnvSettingsSource:
    """Return a source of settings; it is empty if there is no such file.

    The file's other variables are ignored. Raises `OSError`, and `ValueError` for another encoding
    than UTF-8.
    """
    return DotEnvSettingsSource(kind, env_file=file, dotenv_filtering="only_existing")


def unknown_variables(settings: ServerSettings) -> Iterator[str]:
    """Yield a sentence for each variable that has the prefix of a setting and is none."""
    kind = type(settings)
    prefix = str(kind.model_config["env_prefix"]).upper()
    known = [name.upper() for name in kind.model_fields]
    variables = {name.upper() for name in os.environ}
    if settings.environment == "development":
        variables |= {name.upper() for name in read_env_file(kind, str(settings.env_file)).env_vars}
    for variable in sorted(variables):
        name = variable.removeprefix(prefix)
        if prefix and name != variable and name not in known:
            near = get_close_matches(name, known, 1)
            advice = f"did you mean {prefix}{near[0]}?" if near else "--help shows all"
            yield f"{variable} is no setting; {advice}"
