"""The whole URL map, and Tornado's settings."""

from __future__ import annotations

from typing import Any

from indico.config import Settings
from indico.routes.address import AddressRoute
from indico.routes.addresses import AddressesEntryRoute, AddressesRoute
from indico.routes.application import Application
from indico.routes.auth import AuthRoute
from indico.routes.health import HealthRoute, ReadyRoute
from indico.routes.metrics import MetricsRoute
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
    metrics = [MetricsRoute] if settings.metrics_port is None else []
    return _application([*ROUTES, *public, *metrics], settings)


def make_metrics_app(settings: Settings) -> Application:
    """What is answered on `metrics_port`."""
    return _application([MetricsRoute, HealthRoute, ReadyRoute], settings)


def _application(routes: list[Any], settings: Settings) -> Application:
    return Application(routes, settings, default_handler_class=NotFoundHandler)
