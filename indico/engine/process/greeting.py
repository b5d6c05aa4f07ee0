"""The lines that a person at the terminal reads."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from ..program import Program
from ..settings import ServerSettings
from .listening import Sockets


def greet(
    program: Program,
    settings: ServerSettings,
    sockets: Sockets,
    *,
    embedded_folder: object = None,
    workers: int = 0,
) -> None:
    """Print where the server listens, and on which MongoDB it works."""
    urls = urls_of(settings, sockets)
    database = f"embedded, data in {embedded_folder}" if embedded_folder else _hosts(settings)
    with_workers = f", {workers} worker{'s' if workers > 1 else ''}" if workers else ""
    say(f"{settings.service_name} listens on {urls} (process {os.getpid()}{with_workers})")
    say(f"  MongoDB      {database}, database {settings.mongodb_database}")
    say(f"  environment  {settings.environment}")
    say(f"  settings     docs/settings.md, or {program.command} --help")


def urls_of(settings: ServerSettings, sockets: Sockets) -> str:
    """Return where the server listens: `http://127.0.0.1:8888 and tcp://127.0.0.1:8889`."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    http, tcp = ("https", "tls") if settings.certificate else ("http", "tcp")
    url = f"{http}://{host}:{sockets.port}"
    return f"{url} and {tcp}://{host}:{sockets.tcp_port}" if sockets.tcp else url


def say(line: str) -> None:
    """Print a line, unless the terminal was closed, which a signal tells."""
    try:
        print(line, flush=True)
    except OSError:
        # The exit would try to print the line again, and fail.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends


def _hosts(settings: ServerSettings) -> str:
    """Return the hosts in `mongodb_uri`, without the password that may stand before them."""
    return urlsplit(settings.uri).netloc.rpartition("@")[2]
