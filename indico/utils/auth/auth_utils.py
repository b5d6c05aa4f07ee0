"""`auth`: an action that needs a token."""

from __future__ import annotations

import re

import indico.db.session_db as SessionDB
from indico.db.session_db import Session
from indico.engine.http.action import Action, record_of
from indico.engine.http.json_handler import JSONHandler
from indico.engine.http.session_cookie import cookie_of_action

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{43})", re.IGNORECASE)


def auth(action: Action) -> Action:
    """Call the action only with a valid token in `Authorization: Bearer`.

    `self.user_id` and `self.session` then say whose token it is. A missing, unknown, expired or
    revoked token is answered 401 `unauthenticated`, always the same.

        @auth
        async def get(self):
            return await UserDB.get(self.user_id)
    """
    record_of(action).look_up = find_session
    return action


async def find_session(handler: JSONHandler) -> Session | None:
    """Return the session of a request; the engine answers None with 401.

    A request without `Authorization` may have the cookie of a page of this server.
    """
    values = handler.request.headers.get_list("Authorization")
    if not values:
        token = cookie_of_action(handler)
        return await SessionDB.find(token) if token else None
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return await SessionDB.find(match[1]) if match else None
