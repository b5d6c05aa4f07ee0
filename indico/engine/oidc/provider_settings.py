"""`ProviderSettings`: the settings of logins with other services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, SecretStr, model_validator

from ..settings import Seconds, ServerSettings, Words
from .provider import Issuer, Provider, Providers

__all__ = ["ProviderSettings"]


class ProviderSettings(ServerSettings):
    """Settings of a server that people log in to with other services, too."""

    oidc_issuer: Issuer | None = Field(
        None, description="URL of a service that people may log in with, by OpenID Connect"
    )
    oidc_client_id: str | None = Field(
        None, min_length=1, description="id that oidc_issuer has given to this server"
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="secret that oidc_issuer has given to this server, if it has one"
    )
    oidc_providers: Providers = Field(
        {}, repr=False, description="several such services, by name; JSON in a flag or a variable"
    )
    oidc_redirect_uris: Words = Field(
        (), description="addresses of apps to which these services may lead after a login"
    )
    oidc_timeout_seconds: Seconds = Field(
        5, description="time for each answer of such a service; beyond it 503"
    )

    @property
    def providers(self) -> Mapping[str, Provider]:
        """All services that people may log in with. That of `oidc_issuer` is named by its host."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return self.oidc_providers
        one = Provider(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
        )
        return {one.host: one, **self.oidc_providers}

    @model_validator(mode="after")
    def _names_a_whole_provider(self) -> Self:
        missing = [n for n in ("oidc_issuer", "oidc_client_id") if getattr(self, n) is None]
        if len(missing) == 1 or (missing and self.oidc_client_secret):
            raise ValueError(
                f"{missing[0]}: is not set, but another setting of the same service is"
            )
        return self
