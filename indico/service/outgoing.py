"""Requests to URLs that users chose: to public addresses only, signed and with limits."""

from indico.engine.encryption import Encryption, UnknownKey
from indico.engine.http.public_addresses import is_public
from indico.engine.http.standard_webhook import Outcome, new_secret, refused, send

__all__ = ["Encryption", "Outcome", "UnknownKey", "is_public", "new_secret", "refused", "send"]
