"""Tools of routes: the decorators `unpack` and `type_check`, and the log."""

from indico.engine.http.decorators import type_check, unpack
from indico.engine.log import LOGGER

__all__ = ["LOGGER", "type_check", "unpack"]
