"""The settings of webhooks, kept for the process, because a job knows no request."""

from __future__ import annotations

from typing import ClassVar

from ..encryption import Encryption
from ..settings import ServerSettings

__all__ = ["Options", "use_webhooks"]


class Options:
    """Settings that `use_webhooks` takes; `private` allows http and private addresses."""

    encryption: ClassVar[Encryption]
    private: ClassVar[bool]


def use_webhooks(settings: ServerSettings) -> None:
    """Take the keys for secrets, and whether events may go to private addresses."""
    keys = settings.secret_key, settings.old_secret_keys
    Options.encryption = Encryption("webhooks", *keys)
    Options.private = settings.webhooks_private_addresses
