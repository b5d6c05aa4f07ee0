"""`Identity`: a person as a provider knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..http.signed_value import SignedValue
from .flow import SECONDS

# JSON can have half of a surrogate pair. A cookie and MongoDB can't, and a cookie has 4 kB.
_TEXT = re.compile("[^\ud800-\udfff]{0,300}")


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
        verified = claims.get("email_verified")
        return cls(
            provider,
            claims["iss"],
            claims["sub"],
            _text(claims.get("email")),
            verified is True or verified == "true",  # some providers send text
            _text(claims.get("name")),
            user,
        )


def _text(value: object) -> str | None:
    """Return a text that can be kept; None for any other value."""
    return value if isinstance(value, str) and _TEXT.fullmatch(value) else None


# The proof of a login that waits for the password of an account.
IDENTITY = SignedValue("oidc_identity", Identity, SECONDS)
