"""`PageHandler`, the base of all pages."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from tornado.web import authenticated

import indico.db.session_db as SessionDB
from indico.db.session_db import Session
from indico.engine.http.call_limits import take_tokens
from indico.engine.http.health import failed_checks
from indico.engine.http.html_handler import HTMLHandler
from indico.engine.http.session_cookie import clear_cookie, read_cookie, set_cookie
from indico.engine.oidc.error import LoginFailed
from indico.engine.oidc.flow import FLOW
from indico.engine.oidc.identity import IDENTITY, Identity
from indico.handler import BaseHandler
from indico.service.accounts import Login
from indico.web import language
from indico.web.rendering import render
from indico.web.texts import Texts

__all__ = [
    "FLOW",
    "IDENTITY",
    "Identity",
    "LoginFailed",
    "PageHandler",
    "authenticated",
    "failed_checks",
]

# A path of this site. `//evil.example` and `/\\evil.example` are other sites to a browser.
_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")


class PageHandler(BaseHandler, HTMLHandler):
    """A page: `get` shows it, `post` changes something and redirects.

    A page with Tornado's `@authenticated` sends a browser without a session to /login and back.
    Such a page finds the caller in `self.session` and `self.user_id`.
    """

    _found: Session | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        super().prepare()
        token = read_cookie(self)
        self._found = await SessionDB.find(token) if token else None
        if self._found:
            self.session, self.user_id = self._found, self._found.user_id
            await take_tokens(self)

    def get_current_user(self) -> Session | None:
        """Return the session of the cookie, which `prepare` has looked up."""
        return self._found

    def get_login_url(self) -> str:
        return "/login"

    @cached_property
    def texts(self) -> Texts:
        return language.choose(self.request.headers.get("Accept-Language", ""))

    @property
    def next_path(self) -> str:
        """The path of this site in the argument `next`; `/dashboard` without one, `/` for another.

        No link to /login can lead to another site.
        """
        sent = self.sent("next", "/dashboard")
        return sent if _OWN_PATH.fullmatch(sent) else "/"

    def sent(self, name: str, default: str = "") -> str:
        """Return a value of the query, or of the form that was sent."""
        if self.request.method == "POST":
            return self.form.get(name, default)
        return self.get_query_argument(name, default)

    def show(self, template: str, **values: Any) -> None:
        """End the request with a template, which gets `values` and what each page needs."""
        done = self.texts.done.get(self.get_query_argument("done", ""), "")
        about = {"site": self.config.service_name, "user": self.current_user or False, "done": done}
        about["services"] = self.oidc
        self.finish(render(template, self.texts, **{**about, **values}))

    def redirect_after(self, path: str) -> None:
        """Send the browser on after a POST, so that loading the next page again posts nothing."""
        self.redirect(path, status=303)

    async def enter(self, login: Login) -> None:
        """Give the browser its new session, and end the one that it had."""
        if self.current_user:
            await SessionDB.revoke(self.current_user)
        set_cookie(self, login["token"], login["expires_at"])

    def close_session(self) -> None:
        clear_cookie(self)
