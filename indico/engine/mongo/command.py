"""A command on its way to MongoDB by a lane, and the sessions that make a write safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from struct import Struct
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import uuid4

from bson.binary import Binary
from pymongo.errors import PyMongoError

from ..error import DeadlineExceeded
from .operation import DEADLINE, GRACE_SECONDS, is_timeout, to_api_error
from .replies import retryable
from .wire import element, int32, message, sequence

T = TypeVar("T")

__all__ = ["Command", "Session", "Sessions"]

_number = Struct("<q").pack
_MAX_DOCUMENT_BYTES = 16 << 20
_MAX_BYTES = _MAX_DOCUMENT_BYTES + (16 << 10)  # of a command, as MongoDB's own limit
# MongoDB ends a session that it has not seen for half an hour.
_FRESH_SECONDS = 28 * 60


class Command(Generic[T]):
    """A command whose `future` gets what `read` returns for MongoDB's reply.

    `elements` are those of the command's document, and `arguments` the name and documents of its
    array, if it has one. `until` is the time of the loop's clock at which MongoDB has to end it.
    With `retry` the command is sent again after an error that allows it. A write then needs a
    `session`.
    """

    __slots__ = (
        *("_elements", "_error", "_read", "_sequence", "future", "number", "retry", "session"),
        *("_limited", "deadline", "since", "too_large", "until"),
    )

    def __init__(
        self,
        elements: bytes,
        read: Callable[[bytes], T],
        until: float,
        *,
        arguments: tuple[bytes, Sequence[bytes]] | None = None,
        retry: bool = False,
        session: Session | None = None,
    ) -> None:
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.until = until
        self.deadline = until + GRACE_SECONDS  # for the caller
        self._limited = until == DEADLINE.get().at
        self.session = session
        self.retry = retry
        self.number = 0
        self.since = 0.0
        self._elements = elements if session is None else elements + session.next()
        self._sequence = sequence(*arguments) if arguments else b""
        documents = arguments[1] if arguments else ()
        self.too_large = len(elements) > _MAX_BYTES or any(
            len(each) > _MAX_DOCUMENT_BYTES for each in documents
        )
        self._read = read
        self._error: Exception | None = None

    def message(self, number: int, now: float) -> bytes:
        self.number = number
        milliseconds = max(int((self.until - now) * 1000), 1)
        return message(number, self._elements + int32(b"maxTimeMS", milliseconds), self._sequence)

    def answer(self, reply: bytes) -> Exception | None:
        """Answer the caller. Return an error instead, after which the lane may have to end."""
        try:
            answer = self._read(reply)
        except Exception as error:
            return error
        if not self.future.done():  # its caller may have left
            self.future.set_result(answer)
        return None

    def may_follow(self, error: Exception, now: float) -> bool:
        """Return whether the command is to be sent again after `error`."""
        waits = not self.future.done() and now < self.until
        again = waits and self.retry and retryable(error, write=self.session is not None)
        if again:
            self._error = self._told(error)
        return again

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            told = self._told(error)
            # At the deadline of the request MongoDB had no fault.
            ended = DeadlineExceeded() if self._limited and is_timeout(told) else told
            self.future.set_exception(to_api_error(ended))

    def _told(self, error: Exception) -> Exception:
        """Return what the caller is told: an earlier error, if the last try changed nothing."""
        unchanged = isinstance(error, PyMongoError) and error.has_error_label("NoWritesPerformed")
        return self._error if unchanged and self._error else error


class Session:
    """A session of MongoDB, which does each write with the same number once."""

    def __init__(self) -> None:
        self.id = {"id": Binary.from_uuid(uuid4())}
        self.used = 0.0
        self._start = element("lsid", self.id) + b"\x12txnNumber\0"
        self._writes = 0

    def next(self) -> bytes:
        """Return the elements that make the next write safe to repeat."""
        self._writes += 1
        return self._start + _number(self._writes)


class Sessions:
    """The sessions that no write uses."""

    def __init__(self) -> None:
        self._free: list[Session] = []

    def take(self) -> Session:
        if self._free and monotonic() - self._free[-1].used > _FRESH_SECONDS:
            self._free.clear()  # the last one is the latest that was used
        return self._free.pop() if self._free else Session()

    def give_back(self, session: Session) -> None:
        session.used = monotonic()
        self._free.append(session)

    def end(self) -> list[Any]:
        """Forget all sessions, and return their ids, which tell MongoDB to end them."""
        ids = [session.id for session in self._free]
        self._free.clear()
        return ids
