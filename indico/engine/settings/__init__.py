"""The settings of every server, and `load`, which reads all settings."""

from .load import SettingsError, env_name, given_flags, load, shown_default
from .server_settings import Network, ServerSettings
from .variables import unknown_variables

__all__ = [
    "Network",
    "ServerSettings",
    "SettingsError",
    "env_name",
    "given_flags",
    "load",
    "shown_default",
    "unknown_variables",
]
