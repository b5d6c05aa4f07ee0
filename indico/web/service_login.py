"""Logins with another service: the way there and back, and links between it and an account."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from indico.db import ObjectId
from indico.error import IndicoError, InvalidArgument
from indico.service import identities
from indico.service.passwords import OldPassword
from indico.web.form_handler import FormHandler
from indico.web.handler import (
    FLOW,
    IDENTITY,
    Identity,
    LoginFailed,
    PageHandler,
    authenticated,
)

_MAX_NEXT = 500  # a cookie has 4 kB


class LinkForm(BaseModel):
    """The form of /login/link."""

    password: OldPassword


class ServiceHandler(PageHandler):
    """A step of a login with another service. What fails is a page that says what to do now."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        details = error.details if isinstance(error, IndicoError) else ()
        problem = next((p for d in details if (p := self.texts.problems.get(d["reason"]))), None)
        if error is None or problem is None:
            super().write_error(status_code, **kwargs)
            return
        self.set_status(error.status)
        self._headers.update(error.headers)
        self.show("service.html", problem=problem)


class StartHandler(ServiceHandler):
    """The way to another service. A link leads here, because no form may lead to other sites."""

    async def get(self, name: str) -> None:
        next_path = self.next_path if len(self.next_path) <= _MAX_NEXT else "/dashboard"
        await self.begin(name, next_path)

    async def begin(self, name: str, next_path: str = "", user: str = "") -> None:
        here = f"{self.request.protocol}://{self.request.host}/login/with/{name}/callback"
        flow, url = await identities.begin(self.oidc[name], self.caller, here, next_path, user)
        FLOW.set_cookie(self, flow)
        self.redirect(url, status=303)


class AddHandler(StartHandler):
    """The way to another service, to link it with the account of the session."""

    @authenticated
    async def get(self, name: str) -> None:  # type: ignore[override]
        await self.begin(name, user=str(self.user_id))


class CallbackHandler(ServiceHandler):
    """The way back from another service."""

    async def get(self, name: str) -> None:
        flow = FLOW.read_cookie(self)
        FLOW.clear_cookie(self)
        if flow is None or flow.provider != name:
            raise LoginFailed("state")
        returned = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        identity = await identities.finish(self.oidc, self.caller, flow, returned)
        ttl = self.config.session_ttl_seconds
        login = None if flow.user else await identities.login(identity, ttl, self.caller)
        if login is None:
            IDENTITY.set_cookie(self, identity)
            self.redirect("/login/link", status=303)
        else:
            await self.enter(login)
            self.redirect(flow.next, status=303)


class LinkHandler(ServiceHandler, FormHandler):
    """The page to confirm by the password that another service belongs to an account.

    The account is that of the session in which the person began, or it has the person's email.
    """

    template = "link.html"
    _identity: Identity
    _email: str
    _has_password = True

    async def load(self) -> None:
        identity = IDENTITY.read_cookie(self)
        if identity is None or identity.user not in ("", self._own_id):
            raise LoginFailed("state")
        self._identity = identity
        self._email, self._has_password = await identities.find_account(identity)

    async def submit(self) -> str:
        password = self.read(LinkForm).password if self._has_password else ""
        if self._identity.user:
            await identities.link(self.session, self._identity, password, self.caller)
        else:
            ttl = self.config.session_ttl_seconds
            login = await identities.link_by_email(self._identity, password, ttl, self.caller)
            await self.enter(login)
        IDENTITY.clear_cookie(self)
        return "/dashboard?done=linked"

    def show(self, template: str, **values: Any) -> None:
        if template == self.template:
            label = self.oidc[self._identity.provider].label
            about = {"email": self._email, "service": label, "has_password": self._has_password}
            values = {**about, **values}
        super().show(template, **values)

    @property
    def _own_id(self) -> str:
        return str(self.user_id) if self.current_user else ""


class UnlinkHandler(ServiceHandler):
    """The end of a link with another service, whose id is in the field `identity`."""

    @authenticated
    async def post(self) -> None:
        identity_id = self.form.get("identity", "")
        if not ObjectId.is_valid(identity_id):
            raise InvalidArgument("The field identity is wrong.")
        await identities.unlink(self.user_id, ObjectId(identity_id), self.oidc.labels)
        self.redirect_after("/dashboard?done=unlinked")


StartRoute = (r"/login/with/([^/]+)", StartHandler)
CallbackRoute = (r"/login/with/([^/]+)/callback", CallbackHandler)
LinkRoute = (r"/login/link", LinkHandler)
AddRoute = (r"/dashboard/services/([^/]+)", AddHandler)
UnlinkRoute = (r"/dashboard/services", UnlinkHandler)
