"""The reload when a source file changes: the setting `debug`."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from tornado import autoreload

from .. import offload
from ..log import LOGGER
from . import signals

_LOOK_SECONDS = 0.2


def start(package: str) -> None:
    """Reload the process when a module changes, once all modules of `package` compile."""
    autoreload.add_reload_hook(offload.stop)
    autoreload.add_reload_hook(partial(wait_until_it_compiles, package.partition(".")[0]))
    autoreload.start()


def wait_until_it_compiles(package: str) -> None:
    """Wait while a module of `package` has a syntax error, which would end the new process."""
    signals.exit_on_stop()
    logged = ""
    while error := _syntax_error(package):
        if error != logged:
            LOGGER.error("not reloaded yet: %s", error)
        logged = error
        time.sleep(_LOOK_SECONDS)


def _syntax_error(package: str) -> str:
    """Return the first one in the loaded modules of `package`; an empty text if there is none."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.split(".")[0] in ("__main__", package) and file:
            try:
                compile(Path(file).read_bytes(), file, "exec")
            except (SyntaxError, ValueError) as error:
                return str(error)
    return ""
