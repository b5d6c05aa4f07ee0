"""`Identity`: a person as a provider knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..http.signed_value import SignedValue
from .flow import SECONDS


@dataclass(frozen=True)
class Identity:
    """A person who has logged in with a provider. `issuer` and `subject` never change together.

    The email may change, and another person may get it. `user` is as in `Flow`.
    """

    provider: str
    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    user: str = ""

    @classmethod
    def of(cls, provider: str, claims: Mapping[str, Any], user: str) -> Self:
        email, name = claims.get("email"), claims.get("name")
        verified = claims.get("email_verified")
        return cls(
            provider,
            claims["iss"],
            claims["sub"],
            email if isinstance(email, str) else None,
            verified is True or verified == "true",  # some providers send text
            name if isinstance(name, str) else None,
            user,
        )


# The proof of a login that waits for the password of an account.
IDENTITY = SignedValue("oidc_identity", Identity, SECONDS)
