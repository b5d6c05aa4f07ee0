"""`/dashboard`: the overview of an account, and the end of its sessions."""

from __future__ import annotations

import indico.db.identity_db as IdentityDB
import indico.db.session_db as SessionDB
import indico.db.user_db as UserDB
from indico.error import InvalidArgument
from indico.web.addresses import Book
from indico.web.handler import PageHandler, authenticated


class DashboardHandler(PageHandler):
    """The overview of an account."""

    @authenticated
    async def get(self) -> None:
        account, credentials = await UserDB.get_with_credentials(self.user_id)
        self.show(
            "dashboard.html",
            account=account,
            has_password=credentials["password_hash"] is not None,
            identities=await IdentityDB.find_all(self.user_id),
            labels=self.oidc.labels,
            uses=await SessionDB.find_uses(self.user_id),
            book=await Book.read(self),
        )


class SessionsHandler(PageHandler):
    """The end of one session in the field `session`, or of all sessions but this one."""

    @authenticated
    async def post(self) -> None:
        if session_id := self.form.get("session"):
            await SessionDB.revoke_one(self.user_id, _bytes(session_id))
            self.redirect_after("/dashboard?done=session")
        else:
            await SessionDB.revoke_others(self.session)
            self.redirect_after("/dashboard?done=sessions")


DashboardRoute = (r"/dashboard", DashboardHandler)
SessionsRoute = (r"/dashboard/sessions", SessionsHandler)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidArgument("The field session is wrong.") from None
