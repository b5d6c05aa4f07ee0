"""The whole URL map, and Tornado's settings."""

from __future__ import annotations

from indico.config import Settings
from indico.routes.application import Application
from indico.routes.auth import AuthRoute
from indico.routes.handler import NotFoundHandler
from indico.routes.health import HealthRoute, ReadyRoute
from indico.routes.system import SystemRoute
from indico.routes.text import TextRoute
from indico.routes.user import UserRoute

ROUTES = [
    AuthRoute,
    UserRoute,
    SystemRoute,
    TextRoute,
    HealthRoute,
    ReadyRoute,
]


def make_app(settings: Settings) -> Application:
    """The application, ready to be given to a server; it opens nothing."""
    return Application(ROUTES, settings, default_handler_class=NotFoundHandler)
