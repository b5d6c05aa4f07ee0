"""`/user`: the caller's own account."""

from __future__ import annotations

import indico.db.user_db as UserDB
from indico.db.session_db import Revoked
from indico.db.user_db import User
from indico.error import EmailTaken, MissingField, PermissionDenied
from indico.routes.handler import IndicoHandler
from indico.service import accounts
from indico.service.fields import UserUpdate
from indico.service.passwords import OldPassword, Password
from indico.utils import idempotent, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class UserHandler(IndicoHandler):
    """The account that the token belongs to."""

    @read_only
    @auth
    async def get(self) -> User:
        """Return the account."""
        return await UserDB.get(self.user_id)

    @idempotent
    @auth
    @unpack("update_user", password=None)
    @type_check(UserUpdate, OldPassword)
    @raises(EmailTaken, MissingField, PermissionDenied)
    async def update(self, update_user: UserUpdate, password: str | None) -> User:
        """Change `name`, `email` or both, and return the account.

        A change of `email` needs the `password`: without one it is a 400, and with a wrong one a
        403. A `name` of null removes the name.
        """
        return await accounts.update(self.session, update_user, password, self.caller)

    @not_idempotent
    @auth
    @unpack("current_password", "new_password")
    @type_check(OldPassword, Password)
    @raises(PermissionDenied)
    async def change_password(self, current_password: str, new_password: str) -> Revoked:
        """Change the password, revoke every other token, and return their number.

        A wrong `current_password` is a 403.
        """
        passwords = current_password, new_password
        revoked = await accounts.change_password(self.session, *passwords, self.caller)
        return Revoked(revoked=revoked)

    @idempotent
    @auth
    @unpack("password")
    @type_check(OldPassword)
    @raises(PermissionDenied)
    async def delete(self, password: str) -> None:
        """Delete the account, its tokens and all documents that belong to it.

        A wrong `password` is a 403.
        """
        await accounts.delete(self.session, password, self.caller)


UserRoute = (r"/user/(?P<action>[a-zA-Z_]+)?", UserHandler)
