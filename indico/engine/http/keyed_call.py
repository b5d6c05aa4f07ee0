"""A call with an `Idempotency-Key`: it happens once, and each repetition gets the first answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from ..error import APIError, CallInProgress, InvalidArgument, detail
from ..mongo.transactions import in_transaction
from .default_headers import HeldAnswer
from .kept_answers import KeptAnswers, Taken

if TYPE_CHECKING:
    from .json_handler import JSONHandler

__all__ = ["HEADER", "KEY", "REASON", "KeyedCall"]

HEADER, REASON = "Idempotency-Key", "idempotency_key"
KEY = "^[ -~]{1,255}$"
# Errors of the request itself and of limits: the same call may succeed later.
_NOT_KEPT = {400, 401, 413, 415, 429}


class KeyedCall:
    """A call with its key, in one transaction with the record that the call was made.

    The record comes first. So a second call fails at once while the transaction is open. MongoDB
    undoes the transaction of a server that was killed.
    """

    def __init__(
        self,
        handler: JSONHandler,
        keys: Sequence[str],
        action: Callable[[], Awaitable[Any]],
        status: int,
    ) -> None:
        request, secret = handler.request, handler.config.secret_key
        caller = getattr(handler, "user_id", None), request.remote_ip or ""
        self._kept = KeptAnswers(_checked(keys), *caller, secret)
        self._call = self._kept.digest(f"{request.method} {request.uri}\n".encode() + request.body)
        self._handler = handler
        self._action = action
        self._status = status

    async def answer(self) -> None:
        """Make the call and write its answer, or write the kept answer of the first call.

        Raises the errors that are not kept, and those of `KeptAnswers`.
        """
        try:
            answer = await self._first()
        except Taken:
            answer = await self._kept.find(self._call)
            answer = answer._replace(body=_with_id(answer.body, self._handler.request_id))
            self._handler.take_answer_headers(answer)
            self._handler.set_header("Idempotent-Replayed", "true")
        self._handler.release_answer(answer)

    async def _first(self) -> HeldAnswer:
        """Return the answer of the call, or of its error. Raises `Taken`."""
        try:
            return await in_transaction(self._make, final=(CallInProgress,))
        except (Taken, CallInProgress):
            raise
        except Exception as error:
            if not _is_kept(self._handler.as_error(500, error)):
                raise
            self._handler.clear()
            self._handler.hold_answer()
            self._handler.write_error(500, exc_info=(type(error), error, error.__traceback__))
            answer: HeldAnswer = self._handler.held_answer
            await self._kept.keep_alone(self._call, answer)
            return answer

    async def _make(self) -> HeldAnswer:
        self._handler.hold_answer()
        await self._kept.claim(self._call)
        data = await self._action()
        if self._handler.held_answer is None:
            self._handler.respond(data, self._status)
        answer: HeldAnswer = self._handler.held_answer
        await self._kept.keep(answer)
        return answer


def _checked(keys: Sequence[str]) -> str:
    if len(keys) != 1 or not re.fullmatch(KEY, keys[0]):
        message = f"The header {HEADER} is wrong: it must have 1 to 255 printable ASCII characters."
        raise InvalidArgument(message, details=[detail(HEADER, REASON, message)])
    return keys[0]


def _is_kept(error: APIError) -> bool:
    return error.status < 500 and error.status not in _NOT_KEPT and error.retry == "never"


def _with_id(body: bytes, request_id: str) -> bytes:
    """Return the body of an answer; that of an error gets the id of the current request."""
    with suppress(ValueError, KeyError, TypeError):
        envelope = orjson.loads(body)
        envelope["error"]["request_id"] = request_id
        return orjson.dumps(envelope)
    return body
