"""Checks of what this machine gives the server: ports, open files, disk space, a certificate."""

from __future__ import annotations

import errno
import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from tornado.netutil import bind_sockets

from .. import files
from ..files import OTHER_FILES
from ..settings import ServerSettings, env_name
from .finding import Finding, fault, ok, warning

MANY_FILES = 10_000
FEW_FILES = 1024
LITTLE_SPACE = 2 << 30
NO_SPACE = 256 << 20


def port(settings: ServerSettings, server: str) -> Iterator[Finding]:
    """Check that each port of the server is free; `server` is its module."""
    yield _port(settings, server, "port", settings.port)
    if settings.metrics_port is not None:
        yield _port(settings, server, "metrics_port", settings.metrics_port)
    if settings.tcp_port is not None:
        yield _port(settings, server, "tcp_port", settings.tcp_port)


def _port(settings: ServerSettings, server: str, name: str, number: int) -> Finding:
    where = f"{settings.host}:{number}"
    try:
        for listening in bind_sockets(number, settings.host, reuse_port=settings.reuse_port):
            listening.close()
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)
        if code == errno.EADDRINUSE:
            return _taken(server, name, where, number)
        if code == errno.EACCES:
            return fault(
                f"{where} needs rights that this user doesn't have.",
                f"Choose a {name} above 1023, or give the server CAP_NET_BIND_SERVICE.",
            )
        return fault(
            f"{where} is not an address of this machine.",
            f"Choose another --host or {env_name(type(settings), 'host')}.",
        )
    return ok(f"{where} is free." if number else f"{name} is 0: the server takes a free port.")


def _taken(server: str, name: str, where: str, number: int) -> Finding:
    by = ""
    with suppress(psutil.Error):  # this user may not see the process
        process = _listener(number)
        # A worker listens, and its parent is the server.
        for one in [process, *process.parents()]:
            if server in one.cmdline():
                return warning(
                    f"A server of this project already listens on {where} (process {one.pid}).",
                    f"Renew it by --reload or --replace; or stop it, or choose another {name}.",
                )
        by = f" by {process.name()} (process {process.pid})"
    return fault(f"{where} is taken{by}.", f"Stop that program, or choose another {name}.")


def _listener(number: int) -> psutil.Process:
    """Return the process that listens on this port. Raises `psutil.Error` if it can't be seen."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.pid
        if listens and connection.laddr[1:] == (number,):
            return psutil.Process(connection.pid)
    raise psutil.AccessDenied


def file_limit(settings: ServerSettings) -> Iterator[Finding]:
    most = files.most()
    wanted = max(MANY_FILES, (settings.max_in_flight or 0) + OTHER_FILES)
    seen = f"A process may open {most} files and connections"
    fix = f"LimitNOFILE={wanted} in systemd's unit, or ulimit -Hn {wanted} as root."
    if most >= wanted:
        yield ok(f"{seen}." if most < sys.maxsize else "There is no limit.")
    elif most < FEW_FILES:
        yield fault(f"{seen}: too few.", fix)
    else:
        yield warning(f"{seen}; {wanted} are always enough.", fix)


def disk_space(settings: ServerSettings) -> Iterator[Finding]:
    for name, folder in written(settings).items():
        existing = _existing(folder)
        free = shutil.disk_usage(existing).free
        seen = f"{free / (1 << 30):.1f} GiB are free for {name} ({existing})."
        fix = "Free some space, or move it to another disk."
        if free < NO_SPACE:
            yield fault(seen, fix)
        elif free < LITTLE_SPACE:
            yield warning(seen, fix)
        else:
            yield ok(seen)


def folders(settings: ServerSettings) -> Iterator[Finding]:
    for name, folder in written(settings).items():
        existing = _existing(folder)
        if not existing.is_dir():
            yield fault(f"{name}: {existing} is not a folder.", f"Choose another {name}.")
        elif not os.access(existing, os.W_OK | os.X_OK):
            yield fault(
                f"{name}: this user can't write to {existing}.",
                f"chown it to the server's user, or choose another {name}.",
            )
        else:
            yield ok(f"{name}: {folder} can be {'written to' if folder.exists() else 'made'}.")
    data = settings.data_dir / "mongodb"
    if settings.mongodb_uri is None and data.is_dir() and for_others(data):
        yield fault(f"data_dir: others can read {data}.", f"chmod 700 {data}")
    for name, file in (("log_file", settings.log_file), ("pid_file", settings.pid_file)):
        if file is not None and file.exists() and not os.access(file, os.W_OK):
            yield fault(f"{name}: this user can't write to {file}.", "chown it to the server's.")


def written(settings: ServerSettings) -> dict[str, Path]:
    """Return the folder of each setting that names a file or folder which the server writes."""
    folders = {} if settings.mongodb_uri else {"data_dir": settings.data_dir}
    files = {"pid_file": settings.pid_file, "log_file": settings.log_file}
    return folders | {name: file.parent for name, file in files.items() if file is not None}


def _existing(folder: Path) -> Path:
    """Return `folder`, or the nearest of its parents that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def for_others(path: Path) -> bool:
    """Return whether every user of this machine may use `path`. The file's group is trusted."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o007)


def certificate(settings: ServerSettings) -> Iterator[Finding]:
    """Check the TLS certificate and its key; without a certificate there is no finding."""
    if settings.certificate is None:
        return
    key = settings.private_key or settings.certificate
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # Without this password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        yield fault(
            f"{settings.certificate} and {key} can't be used ({_reason(error)}).",
            "certificate: PEM with the chain; private_key: its key in PEM, without a password.",
        )
        return
    if for_others(key):
        yield fault(f"private_key: others can read {key}.", f"chmod 600 {key}")
    else:
        yield ok(f"{settings.certificate} and its key belong together.")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
