"""The whole URL map, and Tornado's settings."""

from __future__ import annotations

from indico.config import Settings
from indico.routes.address import AddressRoute
from indico.routes.addresses import AddressesEntryRoute, AddressesRoute
from indico.routes.application import Application
from indico.routes.auth import AuthRoute
from indico.routes.health import HealthRoute, ReadyRoute
from indico.routes.rest_handler import NotFoundHandler
from indico.routes.system import SystemRoute
from indico.routes.text import TextRoute
from indico.routes.user import UserRoute

ROUTES = [
    AuthRoute,
    UserRoute,
    AddressRoute,
    SystemRoute,
    TextRoute,
    HealthRoute,
    ReadyRoute,
]
PUBLIC_ADDRESS_BOOK = [AddressesRoute, AddressesEntryRoute]


def make_app(settings: Settings) -> Application:
    """The application, ready to be given to a server; it opens nothing."""
    public = PUBLIC_ADDRESS_BOOK if settings.serves_public_address_book else []
    return Application([*ROUTES, *public], settings, default_handler_class=NotFoundHandler)
