"""`limit`: how often an action may be called by each user, address or token, or with a value.

The tokens of a limit are taken right before the action. So a call with a wrong field takes none.
All processes share them: see `limits/buckets.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..error import Unavailable
from ..letter_case import folded
from ..limits.bucket import Bucket, headers_of
from ..limits.buckets import take
from ..limits.network import network_of
from ..limits.rate import Rate
from .action import Action, ActionRecord, record_of
from .json_answer import dumps

if TYPE_CHECKING:
    from .json_handler import JSONHandler

__all__ = ["Limit", "limit", "refuse_unfit_limits", "take_tokens"]

_PER = re.compile(r"user|address|token|field:([A-Za-z_][A-Za-z0-9_]*)")
_MOST_CHARACTERS = 1000  # normalizing a long text takes quadratic time


@dataclass(frozen=True)
class Limit:
    """A limit of an action: `rate` for each `per`, of a `field` for each of its values."""

    rate: Rate
    per: str
    field: str | None = None

    def bucket(
        self, handler: JSONHandler, record: ActionRecord, arguments: Sequence[Any]
    ) -> Bucket | None:
        """Return the bucket of a call; None if it does not have the field."""
        scope = f"{type(handler).__name__.removesuffix('Handler')}.{record.action.__name__}"
        if self.field is None:
            return Bucket(scope, self.per, _VALUES[self.per](handler), self.rate)
        value = arguments[list(record.fields or ()).index(self.field)]
        return None if value is None else Bucket(scope, self.field, _digest(value), self.rate)


def limit(rate: str, *, per: str) -> Callable[[Action], Action]:
    """Answer a call beyond `rate` with 429 `rate_limited`, and when there is room again.

    The rate is a text like `10/minute` or `100/5 minutes`: so many calls may come at once, and
    again in the course of that time. `per` is `user`, `address`, `token`, or `field:email` for each
    value of the field `email`, in any letter case. All limits of an action hold. Give an address
    ten times the room of a user, because offices share one.

        @auth
        @limit("10/minute", per="user")
        @limit("100/minute", per="address")
        @unpack("text")
        async def create(self, text): ...
    """
    found = _PER.fullmatch(per)
    if found is None:
        raise TypeError(f"@limit: per={per!r} must be user, address, token, or like field:email.")
    try:
        added = Limit(Rate.parse(rate), per, found[1])
    except ValueError as error:
        raise TypeError(f"@limit: {error}.") from None

    def decorate(action: Action) -> Action:
        record = record_of(action)
        record.limits = (added, *record.limits)
        return action

    return decorate


def refuse_unfit_limits(where: str, record: ActionRecord) -> None:
    """Raise `TypeError` for a limit of something that the action does not have."""
    if record.limits and not where.isascii():
        raise TypeError(f"{where}: the header of a limit has these names, so they must be ASCII.")
    for each in record.limits:
        if each.per in ("user", "token") and record.look_up is None:
            raise TypeError(f"{where}: @limit(per={each.per!r}) needs @auth.")
        if each.field is not None and each.field not in (record.fields or ()):
            raise TypeError(
                f"{where}: @limit(per={each.per!r}) needs the field {each.field} in @unpack."
            )


async def take_tokens(
    handler: JSONHandler, record: ActionRecord | None = None, arguments: Sequence[Any] = ()
) -> None:
    """Take a token of each limit of a call, or raise `RateLimited`.

    The setting `limits_without_database` says whether a call passes while MongoDB can't answer.
    """
    buckets = list(_buckets(handler, record, arguments))
    if not buckets:
        return
    try:
        levels = await take(*buckets)
    except Unavailable:
        if handler.config.limits_without_database == "shut":
            raise
    else:
        handler.add_headers(headers_of(levels, levels))


def _buckets(
    handler: JSONHandler, record: ActionRecord | None, arguments: Sequence[Any]
) -> Iterator[Bucket]:
    rate = handler.config.rate_limit
    if rate and hasattr(handler, "session"):
        yield Bucket("calls", "token", _token(handler), rate)
    if record:
        for each in record.limits:
            if bucket := each.bucket(handler, record, arguments):
                yield bucket


def _token(handler: JSONHandler) -> str:
    token = handler.session.id
    return token.hex() if isinstance(token, bytes) else str(token)


_VALUES: dict[str, Callable[[JSONHandler], str]] = {
    "user": lambda handler: str(handler.user_id),
    "address": lambda handler: network_of(handler.request.remote_ip),
    "token": _token,
}


def _digest(value: Any) -> str:
    """Return the digest of a field, because a value may be long, and nobody's business."""
    text = value if isinstance(value, str) else dumps(value).decode()
    known = folded(text[:_MOST_CHARACTERS])
    return hashlib.blake2b(known.encode(), digest_size=16).hexdigest()
