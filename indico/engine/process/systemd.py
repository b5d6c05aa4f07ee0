"""The protocol between systemd and a service; without systemd nothing happens."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

_FIRST = 3  # sd_listen_fds(3): SD_LISTEN_FDS_START


def take_sockets() -> list[socket.socket]:
    """Return the sockets on which systemd listens for this process: sd_listen_fds(3)."""
    count = os.environ.pop("LISTEN_FDS", "0")
    for_this_process = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    os.environ.pop("LISTEN_FDNAMES", None)
    if not for_this_process:
        return []
    sockets = [socket.socket(fileno=number) for number in range(_FIRST, _FIRST + int(count))]
    for listening in sockets:
        listening.setblocking(False)
        listening.set_inheritable(False)
    return sockets


def notify(*states: str) -> None:
    """Send `READY=1`, `STOPPING=1` and the like, as sd_notify(3) does."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = "\0" + address[1:]
    # The server goes on when systemd does not listen any more.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto("\n".join(states).encode(), address)


def notify_reloading() -> None:
    microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify("RELOADING=1", f"MONOTONIC_USEC={microseconds}")
