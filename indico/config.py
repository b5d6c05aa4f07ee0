"""Your settings: name, type, default and one line of help. The engine has more."""

from __future__ import annotations

from pydantic import Field

from indico.engine.limits.rate import Rate
from indico.engine.oidc.provider_settings import ProviderSettings
from indico.engine.settings import OptionalRate


class Settings(ProviderSettings, env_prefix="INDICO_"):
    """Settings of this server. Each is a flag, an environment variable and a line of a file."""

    session_ttl_seconds: int = Field(
        14 * 24 * 3600, ge=1, le=10 * 366 * 24 * 3600, description="how long a token is valid"
    )
    login_limit: OptionalRate = Field(
        Rate.parse("10/minute"), description="wrong passwords of one account, or off; then 429"
    )
    registration_limit: OptionalRate = Field(
        Rate.parse("100/hour"), description="accounts made from one address, or off; then 429"
    )
    public_address_book: bool | None = Field(
        None, description="serve /addresses, which everybody may change; unset, in development only"
    )
    docs: bool | None = Field(
        None, description="serve Swagger UI on /docs; unset, in development only"
    )

    pages: bool = Field(
        True, description="serve the pages for people: /, /login, /register and /dashboard"
    )

    @property
    def serves_public_address_book(self) -> bool:
        if self.public_address_book is None:
            return self.environment == "development"
        return self.public_address_book

    @property
    def serves_docs(self) -> bool:
        return self.environment == "development" if self.docs is None else self.docs
