"""The answers that are kept for 24 hours, each for one `Idempotency-Key` of one user.

A document has `_id` (the user and the key), `user_id` or null, `call` (a digest of the call) and
`created_at`, and, once the call has ended, `status`, `reason`, `nonce` and `answer`: the headers
and the body, unreadable without the secret, or null if the body was too large.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import SecretStr

from ..error import CallInProgress, Conflict, IdempotencyKeyReused, Unavailable
from ..mongo.clock import now
from ..mongo.collection import Collection, Document, IndexModel
from .default_headers import HeldAnswer

__all__ = ["MAX_BYTES", "KeptAnswers", "Taken"]

KEPT = Collection(
    "idempotency_keys",
    IndexModel("user_id"),
    IndexModel("created_at", expireAfterSeconds=24 * 60 * 60),
    owner="user_id",
)
# MongoDB's limit is 16 MB.
MAX_BYTES = 1_000_000
_WRITE_CONFLICT = 112
_TOO_LARGE = (
    "The call with this Idempotency-Key was made once, and is not made again. Its answer was too "
    "large to be kept: read what the call has changed."
)
_END_OF_HEADERS = b"\n"  # their JSON has none
# Each answer has its own.
_NOT_KEPT = {"Date", "X-Request-Id", "Connection", "Vary"}


class Taken(Exception):
    """A key for which an answer is kept."""


class KeptAnswers:
    """The answer to one key of a user, who is at `address` if `user_id` is None.

    A copy of the database tells nobody an answer, which may hold a token, nor lets anybody guess
    the body of a call, which may hold a password: that takes `secret`, too.
    """

    def __init__(self, key: str, user_id: Any, address: str, secret: SecretStr) -> None:
        self._id = f"{address if user_id is None else user_id} {key}"
        self._user_id = user_id
        self._secret = secret.get_secret_value().encode()

    def digest(self, call: bytes) -> bytes:
        return hmac.digest(self._secret, call, "sha256")

    async def claim(self, call: bytes) -> None:
        """Take the key in the current transaction, for the call with this digest.

        Raises `Taken`, and `CallInProgress` while another transaction has the key.
        """
        try:
            await KEPT.insert(self._document(call))
        except Conflict:
            raise Taken from None
        except Unavailable as error:
            if getattr(error.__cause__, "code", None) != _WRITE_CONFLICT:
                raise
            raise CallInProgress from None

    async def keep(self, answer: HeldAnswer) -> None:
        """Keep the answer with its claim; nothing, if the call has deleted all of its user."""
        await KEPT.update_by_id(self._id, self._fields(answer))

    async def keep_alone(self, call: bytes, answer: HeldAnswer) -> None:
        """Keep the answer of a call that has changed nothing. Raises `Taken`."""
        try:
            await KEPT.insert({**self._document(call), **self._fields(answer)})
        except Conflict:
            raise Taken from None

    async def find(self, call: bytes) -> HeldAnswer:
        """Return the kept answer to the call with this digest.

        Raises `IdempotencyKeyReused` for another call, `Conflict` if the answer was too large, and
        `CallInProgress` if the answer's time has just ended.
        """
        found = await KEPT.find_by_id(self._id)
        if found is None:
            raise CallInProgress
        if not hmac.compare_digest(call, found["call"]):
            raise IdempotencyKeyReused
        if found["answer"] is None:
            raise Conflict(_TOO_LARGE)
        answer = self._sealed(found["answer"], found["nonce"])
        headers, _, body = answer.partition(_END_OF_HEADERS)
        pairs = [(name, value) for name, value in orjson.loads(headers)]
        return HeldAnswer(found["status"], found["reason"], pairs, body)

    def _document(self, call: bytes) -> Document:
        return {"_id": self._id, "user_id": self._user_id, "call": call, "created_at": now()}

    def _fields(self, answer: HeldAnswer) -> Mapping[str, Any]:
        fields = {"status": answer.status, "reason": answer.reason}
        if len(answer.body) > MAX_BYTES:
            return {**fields, "answer": None}
        nonce = secrets.token_bytes(16)
        headers = [
            (name, value)
            for name, value in answer.headers
            if name not in _NOT_KEPT and not name.startswith("Access-Control-")
        ]
        whole = orjson.dumps(headers) + _END_OF_HEADERS + answer.body
        return {**fields, "nonce": nonce, "answer": self._sealed(whole, nonce)}

    def _sealed(self, text: bytes, nonce: bytes) -> bytes:
        """Return `text` combined with a stream that only `secret` gives; a second time opens it."""
        stream = hashlib.shake_256(self._secret + nonce).digest(len(text))
        mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(len(text), "big")
