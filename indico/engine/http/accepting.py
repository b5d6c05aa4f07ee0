"""New connections, also while the process has no descriptor left for one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

from ..log import LOGGER

LOG_SECONDS = 1.0
RETRY_SECONDS = 0.1
_BACKLOG = 1024
_AT_ONCE = 128  # so that other work gets its turn

_last_logged = -LOG_SECONDS


class Acceptor:
    """A listening socket, whose connections are passed to `accepted` with their addresses.

    Without a free descriptor, connections wait, and the log says so. Meanwhile the event loop does
    not watch the socket, because a connection that waits would keep the loop busy.
    """

    def __init__(
        self, listening: socket.socket, accepted: Callable[[socket.socket, Any], object]
    ) -> None:
        listening.listen(_BACKLOG)
        listening.setblocking(False)
        self._listening = listening
        self._accepted = accepted
        self._loop = IOLoop.current()  # also where asyncio watches no socket: Windows
        self._retry: object = None
        self._watch()

    def stop(self) -> None:
        """Accept nothing more; the caller closes the socket."""
        self._loop.remove_handler(self._listening)
        if self._retry:
            self._loop.remove_timeout(self._retry)

    def close_soon(self) -> None:
        """Close in the next turn of the event loop, which need not run now."""
        self._loop.add_callback(self.close)

    def close(self) -> None:
        """Accept the connections that wait, because closing would reset them, and close."""
        self.stop()
        while self._accept():
            pass
        self.stop()  # cancels a retry, if no descriptor was left
        self._listening.close()

    def _watch(self) -> None:
        self._loop.add_handler(self._listening, self._accept_some, IOLoop.READ)

    def _accept_some(self, listening: socket.socket, events: int) -> None:
        for _ in range(_AT_ONCE):
            if not self._accept():
                return

    def _accept(self) -> bool:
        """Accept a connection; return False if none waits, or no descriptor is left."""
        try:
            accepted, address = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            self._loop.remove_handler(self._listening)
            self._retry = self._loop.call_later(RETRY_SECONDS, self._watch)
            _log(error)
            return False
        self._accepted(accepted, address)
        return True


def _log(error: OSError) -> None:
    """Log `error`, at most once in `LOG_SECONDS` for all sockets of the process."""
    global _last_logged
    if time.monotonic() >= _last_logged + LOG_SECONDS:
        _last_logged = time.monotonic()
        LOGGER.error("no connection can be accepted: %s (see ulimit -n)", error.strerror)
