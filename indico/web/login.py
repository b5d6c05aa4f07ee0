"""`/login`, `/register` and `/logout`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, StringConstraints

import indico.db.session_db as SessionDB
from indico.service import accounts
from indico.service.fields import Email, Name, OldEmail
from indico.service.passwords import OldPassword, Password
from indico.web.form_handler import FormHandler
from indico.web.handler import PageHandler, authenticated

_STRIPPED = StringConstraints(strip_whitespace=True)


class Credentials(BaseModel):
    """The form of /login."""

    email: Annotated[OldEmail, _STRIPPED]
    password: OldPassword


class Registration(BaseModel):
    """The form of /register."""

    name: Name | None = None
    email: Email
    password: Password


class LoginHandler(FormHandler):
    """The page to log in, which then leads to the page in `next`."""

    template = "login.html"

    async def values(self) -> dict[str, str]:
        return {"next": self.next_path}

    async def submit(self) -> str:
        form = self.read(Credentials)
        ttl = self.config.session_ttl_seconds
        await self.enter(await accounts.login(form.email, form.password, ttl, self.caller))
        return self.next_path


class RegisterHandler(FormHandler):
    """The page to make an account."""

    template = "register.html"

    async def submit(self) -> str:
        form = self.read(Registration)
        ttl = self.config.session_ttl_seconds
        login = await accounts.register(form.email, form.name, form.password, ttl, self.caller)
        await self.enter(login)
        return "/dashboard?done=registered"


class LogoutHandler(PageHandler):
    """The page to end this session, or all sessions of the account."""

    @authenticated
    async def get(self) -> None:
        self.show("logout.html")

    async def post(self) -> None:
        everywhere = "everywhere" in self.form
        if self.current_user and everywhere:
            await SessionDB.revoke_all(self.user_id)
        elif self.current_user:
            await SessionDB.revoke(self.session)
        self.close_session()
        self.redirect_after("/")


LoginRoute = (r"/login", LoginHandler)
RegisterRoute = (r"/register", RegisterHandler)
LogoutRoute = (r"/logout", LogoutHandler)
