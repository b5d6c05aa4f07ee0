"""`Identity`: a person as a provider knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..http.signed_value import SignedValue
from .flow import SECONDS

_HALF = re.compile("[\ud800-\udfff]")  # JSON can have it. A cookie and MongoDB can't.


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
    """Return a text; None for another type, and for half of a surrogate pair, as in a cut name."""
    return value if isinstance(value, str) and not _HALF.search(value) else None


# The proof of a login that waits for the password of an account.
IDENTITY = SignedValue("oidc_identity", Identity, SECONDS)
