"""`/dashboard/account` and `/dashboard/password`: changes of the account."""

from __future__ import annotations

from pydantic import BaseModel

import indico.db.user_db as UserDB
from indico.service import accounts
from indico.service.fields import Email, Name, UserUpdate
from indico.service.passwords import OldPassword, Password
from indico.web.form_handler import OwnFormHandler


class AccountForm(BaseModel):
    """The form of /dashboard/account. The password is for a new email."""

    name: Name | None = None
    email: Email
    password: OldPassword | None = None


class PasswordForm(BaseModel):
    """The form of /dashboard/password."""

    current_password: OldPassword
    new_password: Password


class AccountHandler(OwnFormHandler):
    """The page to change name and email."""

    template = "account.html"

    async def values(self) -> dict[str, str]:
        user = await UserDB.get(self.user_id)
        return {"name": user["name"] or "", "email": user["email"]}

    async def submit(self) -> str:
        form = self.read(AccountForm)
        changes = {"name": form.name}
        if form.email != (await UserDB.get(self.user_id))["email"]:
            changes["email"] = form.email
        update = UserUpdate.model_validate(changes)
        await accounts.update(self.session, update, form.password, self.caller)
        return "/dashboard?done=account"


class PasswordHandler(OwnFormHandler):
    """The page to change the password."""

    template = "password.html"

    async def submit(self) -> str:
        form = self.read(PasswordForm)
        passwords = form.current_password, form.new_password
        await accounts.change_password(self.session, *passwords, self.caller)
        return "/dashboard?done=password"


AccountRoute = (r"/dashboard/account", AccountHandler)
PasswordRoute = (r"/dashboard/password", PasswordHandler)
