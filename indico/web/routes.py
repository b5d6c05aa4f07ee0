"""The URL map of the pages."""

from __future__ import annotations

from typing import Any

from indico.config import Settings
from indico.web.account import AccountRoute, PasswordRoute
from indico.web.addresses import AddressRoute, NewAddressRoute
from indico.web.dashboard import DashboardRoute, SessionsRoute
from indico.web.home import HomeRoute
from indico.web.login import LoginRoute, LogoutRoute, RegisterRoute
from indico.web.rendering import FILES

PAGES = [
    HomeRoute,
    LoginRoute,
    RegisterRoute,
    LogoutRoute,
    DashboardRoute,
    SessionsRoute,
    AccountRoute,
    PasswordRoute,
    NewAddressRoute,
    AddressRoute,
]


def page_routes(settings: Settings) -> list[Any]:
    """Return the routes of the pages and their files, unless the setting `pages` is off."""
    return [*PAGES, FILES.route] if settings.pages else []
