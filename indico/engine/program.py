"""The project that the engine runs, as the project's `server.py` describes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .http.application import Application
    from .settings import ServerSettings


class Program(NamedTuple):
    """The names of a project's parts, so that every new worker imports today's code.

    `server` is the module that `python -m` runs; `settings` and `make_app` are `module:name`.
    `migrations` is a package, "" if there is none.
    `env_prefix` begins the settings' environment variables. The commands that act on a running
    server know it from here, because they import nothing else of the project.
    """

    server: str
    env_prefix: str
    settings: str
    make_app: str
    version: str
    migrations: str = ""

    @property
    def package(self) -> str:
        return self.server.rpartition(".")[0]

    @property
    def command(self) -> str:
        """The command that starts the server, as text for a person."""
        return f"python -m {self.server}"

    def settings_class(self) -> type[ServerSettings]:
        """Return the project's class.

        Raises `BrokenCode`, and `ValueError` if its prefix is another one.
        """
        kind: type[ServerSettings] = self._part(lambda: _imported(self.settings))
        prefix = kind.model_config["env_prefix"]
        if prefix != self.env_prefix:
            raise ValueError(
                f"{self.settings} has env_prefix={prefix!r}, but {self.server} says "
                f"{self.env_prefix!r}: write the same in both."
            )
        return kind

    def app(self, settings: ServerSettings) -> Application:
        """Make the project's application. Raises `BrokenCode`."""
        made: Application = self._part(lambda: _imported(self.make_app)(settings))
        return made

    def _part(self, make: Callable[[], Any]) -> Any:
        from .broken_code import broken_code  # the doctor reads this module with an old Python

        with broken_code(self.package):
            return make()


def _imported(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
