"""The project that the engine runs, as the project's `server.py` describes it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .http.application import Application
    from .settings import ServerSettings


class Program(NamedTuple):
    """The names of a project's parts, so that every new worker imports today's code.

    `server` is the module that `python -m` runs; `settings` and `make_app` are `module:name`.
    """

    server: str
    settings: str
    make_app: str
    version: str

    @property
    def package(self) -> str:
        return self.server.rpartition(".")[0]

    @property
    def command(self) -> str:
        """The command that starts the server, as text for a person."""
        return f"python -m {self.server}"

    def settings_class(self) -> type[ServerSettings]:
        kind: type[ServerSettings] = _imported(self.settings)
        return kind

    def app(self, settings: ServerSettings) -> Application:
        made: Application = _imported(self.make_app)(settings)
        return made


def _imported(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
