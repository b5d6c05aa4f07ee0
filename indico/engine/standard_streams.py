"""The standard streams: what is printed and logged, and the file that it may go to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .error import StartError
from .log import LOGGER


def open_streams() -> None:
    """Open the standard streams that are closed, because a socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def redirect(file: Path | None) -> None:
    """Append all that is printed and logged to `file`, if there is one.

    Raises `StartError` if `file` can't be written.
    """
    if file is None:
        return
    try:
        opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    except OSError as error:
        raise StartError(f"log_file: {file} can't be written: {error.strerror}.") from None
    for descriptor in (1, 2):
        os.dup2(opened, descriptor)
    os.close(opened)


def reopen(file: Path | None) -> None:
    """Redirect while the server runs. An error is logged where the log went before."""
    try:
        redirect(file)
    except StartError as error:
        LOGGER.error("%s", error)


def complain(text: str) -> None:
    """Print `text` for the person at the terminal, because a log line would not be read there."""
    for line in text.splitlines():
        sys.stderr.write(f"{LOGGER.name}: {line}\n")
    sys.stderr.flush()
