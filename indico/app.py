"""The URL map."""

from __future__ import annotations

from indico import __version__
from indico.config import Settings
from indico.engine.http.application import Application, operating_routes
from indico.engine.http.batch import BatchRoute
from indico.engine.oidc.clients import Clients
from indico.engine.openapi.document import API
from indico.engine.openapi.pages import docs_routes, openapi_route
from indico.engine.webhooks import use_webhooks
from indico.routes.address import AddressRoute
from indico.routes.addresses import AddressesEntryRoute, AddressesRoute
from indico.routes.auth import AuthRoute
from indico.routes.live import live_routes
from indico.routes.system import SystemRoute
from indico.routes.text import TextRoute
from indico.routes.user import UserRoute
from indico.routes.webhook import WebhookRoute
from indico.web.error_page import error_page
from indico.web.routes import page_routes

ROUTES = [
    AuthRoute,
    UserRoute,
    AddressRoute,
    WebhookRoute,
    SystemRoute,
    TextRoute,
]
PUBLIC_ADDRESS_BOOK = [AddressesRoute, AddressesEntryRoute]


def make_app(settings: Settings) -> Application:
    """Return the application, ready to be given to a server; it opens nothing."""
    use_webhooks(settings)
    routes = [*ROUTES, BatchRoute, *operating_routes(settings)]
    if settings.serves_public_address_book:
        routes += PUBLIC_ADDRESS_BOOK
    api = API("indico", __version__, routes)
    docs = docs_routes(api) if settings.serves_docs else []
    return Application(
        [
            *routes,
            openapi_route(api),
            *docs,
            *live_routes(settings),
            *page_routes(settings),
        ],
        settings,
        error_page=error_page(settings),
        oidc=Clients(settings.providers, settings.oidc_timeout_seconds),
    )
