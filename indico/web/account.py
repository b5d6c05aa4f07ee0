"""`/dashboard/account` and `/dashboard/password`: changes of the account."""

from __future__ import annotations

from typing import Any

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


class NewPasswordForm(BaseModel):
    """The form of /dashboard/password, for an account without a password."""

    new_password: Password


class PasswordForm(NewPasswordForm):
    """The form of /dashboard/password."""

    current_password: OldPassword


class ConfirmedHandler(OwnFormHandler):
    """A page for what needs the password, if the account has one."""

    _has_password = True

    async def load(self) -> None:
        _, credentials = await UserDB.get_with_credentials(self.user_id)
        self._has_password = credentials["password_hash"] is not None

    def show(self, template: str, **values: Any) -> None:
        super().show(template, has_password=self._has_password, **values)


class AccountHandler(ConfirmedHandler):
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
        update, password = UserUpdate.model_validate(changes), form.password
        if not self._has_password:
            password = ""
        await accounts.update(self.session, update, password, self.caller)
        return "/dashboard?done=account"


class PasswordHandler(ConfirmedHandler):
    """The page to change the password, or to set the first one."""

    template = "password.html"

    async def submit(self) -> str:
        form = self.read(PasswordForm if self._has_password else NewPasswordForm)
        old = form.current_password if isinstance(form, PasswordForm) else ""
        await accounts.change_password(self.session, old, form.new_password, self.caller)
        return "/dashboard?done=password"


AccountRoute = (r"/dashboard/account", AccountHandler)
PasswordRoute = (r"/dashboard/password", PasswordHandler)
