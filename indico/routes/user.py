"""`/user`: one's own account."""

from __future__ import annotations

from typing import Any

import indico.db.user_db as UserDB
from indico.error import AuthError
from indico.routes.handler import IndicoHandler
from indico.service import accounts
from indico.service.fields import UserUpdate
from indico.service.passwords import Password
from indico.utils import type_check, unpack
from indico.utils.auth.auth_utils import auth


class UserHandler(IndicoHandler):
    """The account of the user whose token it is."""

    @auth
    async def get(self) -> None:
        """`id`, `email`, `name`, `created_at`, `updated_at`."""
        self.respond(_existing(await UserDB.get(self.user_id)))

    @auth
    @unpack("update_user")
    @type_check(UserUpdate)
    async def update(self, update_user: UserUpdate) -> None:
        """Changes `name`, `email` or both: the account after it."""
        self.respond(_existing(await UserDB.update(self.user_id, update_user)))

    @auth
    @unpack("current_password", "new_password")
    @type_check(str, Password)
    async def change_password(self, current_password: str, new_password: str) -> Any:
        """Revokes every other token: how many they were."""
        changed = accounts.change_password(self.session, current_password, new_password)
        return {"revoked": await changed}

    @auth
    @unpack("password")
    @type_check(str)
    async def delete(self, password: str) -> None:
        """Deletes the account and revokes its tokens."""
        await accounts.delete(self.session, password)


def _existing(user: UserDB.User | None) -> UserDB.User:
    """An account that is deleted while its token is looked up leaves a token of nobody."""
    if user is None:
        raise AuthError
    return user


UserRoute = (r"/user/(?P<action>[a-zA-Z_]+)?", UserHandler)
