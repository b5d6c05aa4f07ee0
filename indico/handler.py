"""`BaseHandler`: what your actions and your pages share."""

from __future__ import annotations

from indico.config import Settings
from indico.db import ObjectId
from indico.db.session_db import Session
from indico.engine.http.json_handler import JSONHandler
from indico.engine.oidc.clients import Clients
from indico.service.login_limits import Caller

__all__ = ["BaseHandler"]


class BaseHandler(JSONHandler):
    """A handler that knows its caller. With a token, it has `session` and `user_id`."""

    config: Settings
    session: Session
    user_id: ObjectId

    @property
    def caller(self) -> Caller:
        """The client, for logins and registrations."""
        config = self.config
        return Caller(self.request.remote_ip, config.login_limit, config.registration_limit)

    @property
    def oidc(self) -> Clients:
        """The services that people may log in with."""
        clients: Clients = self.settings["oidc"]
        return clients
