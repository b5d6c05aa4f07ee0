"""The settings that the engine needs, and how all settings are read."""

from .load import SettingsError, env_name, given_flags, load, shown_default
from .server_settings import Network, ServerSettings

__all__ = [
    "Network",
    "ServerSettings",
    "SettingsError",
    "env_name",
    "given_flags",
    "load",
    "shown_default",
]
