"""`/user`: the caller's own account."""

from __future__ import annotations

import indico.db.identity_db as IdentityDB
import indico.db.user_db as UserDB
from indico.db import Id, ObjectId
from indico.db.identity_db import LinkedIdentity
from indico.db.session_db import Revoked
from indico.db.user_db import User
from indico.error import (
    EmailTaken,
    IdentityConflict,
    LoginTooOld,
    MissingField,
    NotFound,
    PermissionDenied,
)
from indico.routes.handler import (
    FLOW,
    IndicoHandler,
    LinkFailed,
    LoginFailed,
    Page,
    ProviderUnavailable,
)
from indico.service import accounts, identities
from indico.service.fields import Opaque, Returned, UserUpdate
from indico.service.passwords import OldPassword, Password
from indico.utils import idempotent, keyless, not_idempotent, raises, read_only, type_check, unpack
from indico.utils.auth.auth_utils import auth


class UserHandler(IndicoHandler):
    """The account that the token belongs to.

    An account that was made by another service has no password. Its owner sends "" as the password.
    The owner must have logged in within the last 10 minutes, else the answer is a 403.
    """

    @read_only
    @auth
    async def get(self) -> User:
        """Return the account."""
        return await UserDB.get(self.user_id)

    @idempotent
    @auth
    @unpack("update_user", password=None)
    @type_check(UserUpdate, OldPassword)
    @raises(EmailTaken, LoginTooOld, MissingField, PermissionDenied)
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
    @raises(LoginTooOld, PermissionDenied)
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
    @raises(LoginTooOld, PermissionDenied)
    async def delete(self, password: str) -> None:
        """Delete the account, its tokens and all documents that belong to it.

        A wrong `password` is a 403.
        """
        await accounts.delete(self.session, password, self.caller)

    @read_only
    @auth
    async def identities(self) -> Page[LinkedIdentity]:
        """Return the logins of other services that are linked with the account."""
        return Page(items=await IdentityDB.find_all(self.user_id), next_cursor=None)

    @keyless
    @not_idempotent
    @auth
    @unpack("flow", "returned", "password")
    @type_check(Opaque, Returned, OldPassword)
    @raises(IdentityConflict, LinkFailed, LoginTooOld, PermissionDenied, ProviderUnavailable)
    async def link(self, flow: str, returned: dict[str, str], password: str) -> None:
        """Link a login of another service with the account.

        Call `/auth/oidc_start` first. `flow` and `returned` are as in `/auth/oidc_finish`. A wrong
        `password` is a 403, and so is a login there that failed.
        """
        try:
            begun = FLOW.read(self, flow)
            identity = await identities.finish(self.oidc, self.caller, begun, returned)
        except LoginFailed as error:
            raise LinkFailed(error) from None
        await identities.link(self.session, identity, password, self.caller)

    @idempotent
    @auth
    @unpack("id")
    @type_check(Id)
    @raises(IdentityConflict, NotFound)
    async def unlink(self, identity_id: ObjectId) -> None:
        """Unlink a login of another service, unless it is the only way to log in."""
        await identities.unlink(self.user_id, identity_id, self.oidc.labels)


UserRoute = (r"/user/(?P<action>[a-zA-Z_]+)?", UserHandler)
