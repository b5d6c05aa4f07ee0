"""The settings of every server, and `load`, which reads all settings."""

from .kinds import Network, OptionalRate, Seconds, Words
from .loading import SettingsError, env_name, given_flags, load, shown_default
from .server_settings import ServerSettings
from .variables import unknown_variables

__all__ = [
    "Network",
    "OptionalRate",
    "Seconds",
    "ServerSettings",
    "SettingsError",
    "Words",
    "env_name",
    "given_flags",
    "load",
    "shown_default",
    "unknown_variables",
]
