"""Tools of routes: the decorators of actions, and the log."""

from indico.engine.http.call_limits import limit
from indico.engine.http.decorators import raises, type_check, unpack
from indico.engine.http.deprecation import deprecated
from indico.engine.http.effects import idempotent, keyless, not_idempotent, read_only
from indico.engine.log import LOGGER

__all__ = [
    "LOGGER",
    "deprecated",
    "idempotent",
    "keyless",
    "limit",
    "not_idempotent",
    "raises",
    "read_only",
    "type_check",
    "unpack",
]
