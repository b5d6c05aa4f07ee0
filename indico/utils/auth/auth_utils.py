"""`auth`: an action that needs a token."""

from __future__ import annotations

import functools
import re
from typing import Any, Protocol

from tornado.httputil import HTTPHeaders, HTTPServerRequest

import indico.db.session_db as SessionDB
from indico.db import ObjectId
from indico.db.session_db import Session
from indico.engine.http.action import Action, facts
from indico.error import AuthError

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{43})", re.IGNORECASE)


class Caller(Protocol):
    """The part of a handler that `auth` uses."""

    request: HTTPServerRequest
    session: Session
    user_id: ObjectId


def auth(action: Action) -> Action:
    """Calls the action only with a valid token in `Authorization: Bearer`.

    `self.user_id` and `self.session` then say whose it is. 401 `unauthenticated` without one,
    and for one that is unknown, expired or revoked: always the same answer.

        @auth
        async def get(self):
            return await UserDB.get(self.user_id)
    """
    facts(action).token = True

    @functools.wraps(action)
    async def authenticated(self: Caller, *values: Any) -> Any:
        token = _token(self.request.headers)
        session = await SessionDB.find(token) if token else None
        if session is None:
            raise AuthError
        self.session = session
        self.user_id = session.user_id
        return await action(self, *values)

    return authenticated


def _token(headers: HTTPHeaders) -> str | None:
    values = headers.get_list("Authorization")
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return match[1] if match else None
