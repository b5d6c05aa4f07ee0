"""The URL map."""

from __future__ import annotations

from indico.config import Settings
from indico.engine.http.application import Application, operating_routes
from indico.routes.address import AddressRoute
from indico.routes.addresses import AddressesEntryRoute, AddressesRoute
from indico.routes.auth import AuthRoute
from indico.routes.system import SystemRoute
from indico.routes.text import TextRoute
from indico.routes.user import UserRoute

ROUTES = [
    AuthRoute,
    UserRoute,
    AddressRoute,
    SystemRoute,
    TextRoute,
]
PUBLIC_ADDRESS_BOOK = [AddressesRoute, AddressesEntryRoute]


def make_app(settings: Settings) -> Application:
    """Return the application, ready to be given to a server; it opens nothing."""
    public = PUBLIC_ADDRESS_BOOK if settings.serves_public_address_book else []
    return Application([*ROUTES, *public, *operating_routes(settings)], settings)
