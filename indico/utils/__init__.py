"""What routes are written with: the decorators, and the log."""

from indico.utils.fields import type_check, unpack
from indico.utils.log import LOGGER

__all__ = ["LOGGER", "type_check", "unpack"]
