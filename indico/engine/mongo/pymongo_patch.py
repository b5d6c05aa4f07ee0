"""Four fixes for PyMongo 4.20.

`wait_for`: an operation of `AsyncMongoClient` waits at a condition for a server or a connection,
and then holds the lock again. PyMongo waits by `asyncio.wait_for`, which before Python 3.12 waits
in a task of its own. An operation that is cancelled at the moment of its timeout goes on without
that task. The operation then releases a lock that another one holds, or leaves the lock held for
good. Then every later operation waits in vain, and the process can't even end by itself.
Operations are cancelled whenever a client goes away or a deadline passes. While MongoDB is away,
all of them wait half a second, again and again.

`check_command_response`: a primary that steps down after a write answers with a write concern
error. A label of the answer says that the write may be sent again. PyMongo adds the label to the
error. Adding fails with `AttributeError` if documents are raw (PyMongo's pull request 530 left that
open).

`retryable_writes_supported`: a write waits for a connection to the primary. Meanwhile another
operation may find out that the primary steps down. Then PyMongo sends the write without the number
by which MongoDB recognizes a repetition. PyMongo raises the error of such a write instead of
sending it again.

`connect`: a server may reset a connection before TLS begins, as a `mongod` that is killed does.
Then uvloop 0.23 closes the descriptor, but leaves it to PyMongo's socket object. The object closes
the same number again when it is collected. By then another connection may have that number.
Besides, PyMongo does not limit the handshake of TLS, for which a frozen server never answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import pymongo.asynchronous.pool
import pymongo.helpers_shared
import pymongo.lock
import pymongo.pool_shared
from bson.raw_bson import RawBSONDocument
from pymongo.server_description import ServerDescription
from pymongo.server_type import SERVER_TYPE

T = TypeVar("T")


async def wait_for(waiting: Awaitable[T], timeout_seconds: float | None) -> T:
    """Wait as `asyncio.wait_for` does since Python 3.12: without a task, so none is left behind."""
    async with asyncio.timeout(timeout_seconds):
        return await waiting


pymongo.lock.wait_for = wait_for  # type: ignore[assignment, attr-defined]

_check = pymongo.helpers_shared._check_command_response


def check_command_response(response: Any, *args: Any, **kwargs: Any) -> None:
    """Check as PyMongo does, with a write concern error to which a label can be added."""
    error = response.get("writeConcernError")
    if isinstance(error, RawBSONDocument):
        response = {**response, "writeConcernError": {**error}}
    _check(response, *args, **kwargs)


pymongo.helpers_shared._check_command_response = check_command_response


def retryable_writes_supported(server: ServerDescription) -> bool:
    """Return what holds for a server in each of its states, not only while it is the primary."""
    return server.server_type != SERVER_TYPE.Standalone


ServerDescription.retryable_writes_supported = property(  # type: ignore[assignment, method-assign]
    retryable_writes_supported
)


_open_socket = pymongo.pool_shared._async_create_connection
_connect = pymongo.pool_shared._configured_protocol_interface
_opened: ContextVar[tuple[socket.socket, int]] = ContextVar("opened")


async def open_socket(*args: Any) -> socket.socket:
    """Open a socket as PyMongo does, and note its inode, which no other socket has."""
    opened = await _open_socket(*args)
    _opened.set((opened, _inode(opened)))
    return opened


async def connect(address: Any, options: Any, *args: Any) -> Any:
    """Connect as PyMongo does. After an error the socket object gives up a closed descriptor."""
    try:
        async with asyncio.timeout(options.connect_timeout):
            return await _connect(address, options, *args)
    except BaseException:
        opened, inode = _opened.get((None, 0))
        if opened and _inode(opened) != inode:
            opened.detach()
        raise


def _inode(opened: socket.socket) -> int:
    with suppress(OSError):
        return os.fstat(opened.fileno()).st_ino
    return 0


pymongo.pool_shared._async_create_connection = open_socket  # type: ignore[assignment]
setattr(pymongo.asynchronous.pool, "_configured_protocol_interface", connect)  # noqa: B010
