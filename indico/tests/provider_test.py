"""`ProviderTest`: a test of a server that people may log in to with another service."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from indico.config import Settings
from indico.db.identity_db import IDENTITIES
from indico.db.session_db import SESSIONS
from indico.db.user_db import USERS
from indico.engine.tests.oidc.provider_server import CLIENT_ID, CLIENT_SECRET, ProviderServer
from indico.tests.server_test import ServerTest

__all__ = ["APP", "ProviderTest"]

APP = "com.example.app:/back"  # where the service leads back to an app


class ProviderTest(ServerTest):
    """Base of tests with a `provider`, which the server knows as "test"."""

    provider: ProviderServer
    indexed = [USERS, SESSIONS, IDENTITIES]  # noqa: RUF012

    def make_settings(self, **values: Any) -> Settings:
        self.provider = self.run_async(self.start_provider())
        known = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "label": "Test Service"}
        return super().make_settings(
            oidc_providers={"test": {"issuer": self.provider.issuer, **known}},
            oidc_redirect_uris=(APP,),
            oidc_timeout_seconds=60,
            **values,
        )

    async def start_provider(self) -> ProviderServer:
        return ProviderServer()  # the end of the loop closes it

    def begin(self) -> dict[str, Any]:
        """Return the fields with which an app finishes a login."""
        body = {"provider": "test", "redirect_uri": APP}
        begun = self.data(self.post("/auth/oidc_start", body))
        return {"flow": begun["flow"], "returned": self.provider.log_in(begun["authorization_url"])}

    def log_in_by_app(self) -> Any:
        """Log in with the service as an app does, and return the answer's `login` and `confirm`."""
        return self.data(self.post("/auth/oidc_finish", self.begin()))

    def query(self, url: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(url).query))
