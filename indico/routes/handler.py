"""`IndicoHandler`, the base of all your actions, and the engine's tools for routes."""

from __future__ import annotations

from indico.engine.http.action_handler import ActionHandler
from indico.engine.http.answer import Created, Status
from indico.engine.http.cursor import DEFAULT_LIMIT, Cursor, Limit
from indico.engine.http.json_answer import dumps
from indico.engine.http.paging import Page
from indico.engine.http.rest_handler import RestHandler
from indico.engine.live.routes import live_routes
from indico.engine.oidc.error import LinkFailed, LoginFailed, NotConfigured, ProviderUnavailable
from indico.engine.oidc.flow import FLOW
from indico.engine.oidc.identity import IDENTITY
from indico.handler import BaseHandler

__all__ = [
    "DEFAULT_LIMIT",
    "FLOW",
    "IDENTITY",
    "Created",
    "Cursor",
    "IndicoHandler",
    "Limit",
    "LinkFailed",
    "LoginFailed",
    "NotConfigured",
    "Page",
    "ProviderUnavailable",
    "RestHandler",
    "Status",
    "dumps",
    "live_routes",
]


class IndicoHandler(BaseHandler, ActionHandler):
    """A resource: each coroutine method in the class body is an action, `POST /<resource>/<name>`.

    An action with `@auth` finds the caller in `self.session` and `self.user_id`.

        class NoteHandler(IndicoHandler):
            @auth
            @unpack("text")
            @type_check(str)
            async def create(self, text: str) -> Created[Note]:
                return await NoteDB.create(self.user_id, text)

        NoteRoute = (r"/note/(?P<action>[a-zA-Z_]+)?", NoteHandler)
    """
