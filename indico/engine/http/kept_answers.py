"""The answers that are kept for 24 hours, each for one `Idempotency-Key` of one user."""

from __future__ import annotations

import hmac
import os
from datetime import datetime
from typing import Any, NotRequired

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from typing_extensions import TypedDict

from ..error import CallInProgress, Conflict, IdempotencyKeyReused, Unavailable
from ..mongo.clock import now
from ..mongo.collection import Collection, IndexModel
from .default_headers import HeldAnswer

__all__ = ["MAX_BYTES", "KeptAnswers", "Taken"]


class KeptDocument(TypedDict):
    """A claimed key with a digest of its call; once the call has ended, with its answer.

    `_id` is the user and the key. `answer` is the encrypted headers and body, or null if the body
    was too large.
    """

    _id: str
    user_id: Any
    call: bytes
    created_at: datetime
    status: NotRequired[int]
    reason: NotRequired[str]
    nonce: NotRequired[bytes]
    answer: NotRequired[bytes | None]


class AnswerFields(TypedDict):
    """The fields that a claimed key gets when its call has ended."""

    status: int
    reason: str
    nonce: bytes
    answer: bytes | None


KEPT = Collection(
    "idempotency_keys",
    KeptDocument,
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
# Each answer has its own. Names as Tornado spells them.
_NOT_KEPT = {"Date", "X-Request-Id", "Connection", "Vary", "Ratelimit", "Ratelimit-Policy"}


class Taken(Exception):
    """A key for which an answer is kept."""


class KeptAnswers:
    """The answer to one key of a user, who is at `address` if `user_id` is None.

    Reading an answer from a copy of the database takes `secret` too, because an answer may hold a
    token. Guessing the body of a call takes `secret` too, because a body may hold a password.
    """

    def __init__(self, key: str, user_id: Any, address: str, secret: SecretStr) -> None:
        self._id = f"{address if user_id is None else user_id} {key}"
        self._user_id = user_id
        self._secret = secret.get_secret_value().encode()
        self._cipher = AESGCM(hmac.digest(self._secret, b"kept answers", "sha256"))

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

        Raises `IdempotencyKeyReused` for another call, and `Conflict` if the answer was too large.
        Raises `CallInProgress` if the answer's time has just ended.
        """
        found = await KEPT.find_by_id(self._id)
        if found is None:
            raise CallInProgress
        if not hmac.compare_digest(call, found["call"]):
            raise IdempotencyKeyReused
        if found["answer"] is None:
            raise Conflict(_TOO_LARGE)
        answer = self._cipher.decrypt(found["nonce"], found["answer"], self._id.encode())
        headers, _, body = answer.partition(_END_OF_HEADERS)
        pairs = [(name, value) for name, value in orjson.loads(headers)]
        return HeldAnswer(found["status"], found["reason"], pairs, body)

    def _document(self, call: bytes) -> KeptDocument:
        return {"_id": self._id, "user_id": self._user_id, "call": call, "created_at": now()}

    def _fields(self, answer: HeldAnswer) -> AnswerFields:
        headers = [
            (name, value)
            for name, value in answer.headers
            if name not in _NOT_KEPT and not name.startswith("Access-Control-")
        ]
        whole, nonce = orjson.dumps(headers) + _END_OF_HEADERS + answer.body, os.urandom(12)
        kept = len(answer.body) <= MAX_BYTES
        return {
            "status": answer.status,
            "reason": answer.reason,
            "nonce": nonce,
            "answer": self._cipher.encrypt(nonce, whole, self._id.encode()) if kept else None,
        }
