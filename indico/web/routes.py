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
from indico.web.service_login import (
    AddRoute,
    CallbackRoute,
    LinkRoute,
    StartRoute,
    UnlinkRoute,
)

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
# Pages of a server whose settings name another service.
SERVICE_PAGES = [StartRoute, CallbackRoute, LinkRoute, AddRoute, UnlinkRoute]


def page_routes(settings: Settings) -> list[Any]:
    """Return the routes of the pages and their files, unless the setting `pages` is off."""
    services = SERVICE_PAGES if settings.providers else []
    return [*PAGES, *services, FILES.route] if settings.pages else []
