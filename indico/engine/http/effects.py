"""The effect of an action: whether a client may make the same call twice.

A client can't know whether a call whose answer is lost was made. It may send the call again only
where a second time does no harm.
"""

from __future__ import annotations

from .action import Action, record_of

REPEATABLE = frozenset({"read_only", "idempotent"})  # effects
SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, section 9.2.2


def read_only(action: Action) -> Action:
    """Mark an action that changes nothing. The mark stands above all other decorators.

    @read_only
    @auth
    async def get(self): ...
    """
    record_of(action).effect = "read_only"
    return action


def idempotent(action: Action) -> Action:
    """Mark an action of which a second call changes nothing that the first has not changed."""
    record_of(action).effect = "idempotent"
    return action


def not_idempotent(action: Action) -> Action:
    """Mark an action that does its work once more with each call, like one that adds a document."""
    record_of(action).effect = "not_idempotent"
    return action


def keyless(action: Action) -> Action:
    """Mark an action that takes no `Idempotency-Key`, because it asks another server.

    A call with a key is a transaction, and what another server does can't be undone.
    """
    record_of(action).takes_key = False
    return action
