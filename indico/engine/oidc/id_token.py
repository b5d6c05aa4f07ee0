"""The check of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwk, jwt
from joserfc.errors import InvalidClaimError, InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from ..log import LOGGER
from .error import LoginFailed
from .flow import SECONDS
from .provider import Provider

__all__ = ["InvalidKeyIdError", "check_id_token", "key_set"]

_LEEWAY = 60  # seconds that the clocks of two servers may differ
_MAX_SUBJECT = 255
# Only signatures that need the provider's private key: `none` needs none, and with HMAC the public
# key would be the secret. Unknown fields of a header are ignored, as RFC 7515 says.
_SIGNATURES = JWSRegistry(
    algorithms=[
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
    ],
    strict_check_header=False,
)


def key_set(document: Mapping[str, Any]) -> KeySet:
    """Return the keys of a JWKS, without those that can't be read (RFC 7517, section 5)."""
    keys = []
    listed = document.get("keys")
    for each in listed if isinstance(listed, list) else ():
        try:
            keys.append(jwk.import_key(dict(each)))
        except Exception as error:
            LOGGER.info("a key of a provider is ignored: %s", error)
    return KeySet(keys)


def check_id_token(token: object, keys: KeySet, provider: Provider, nonce: str) -> dict[str, Any]:
    """Return the claims of a token of `provider`, made for this server and this login.

    Raises `LoginFailed` for any other token, and `InvalidKeyIdError` if no key has its `kid`.
    """
    try:
        if not isinstance(token, str):
            raise InvalidClaimError("id_token")
        claims = jwt.decode(token, keys, registry=_SIGNATURES).claims
        _rules(provider, nonce).validate(claims)
        _check_more(claims, provider.client_id)
    except InvalidKeyIdError:
        raise
    except Exception as error:  # whatever else a malformed token makes the library raise
        LOGGER.warning("the ID token of %s is refused: %s", provider.issuer, error)
        raise LoginFailed("answer") from None
    return claims


def _rules(provider: Provider, nonce: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )


def _check_more(claims: Mapping[str, Any], client_id: str) -> None:
    """Check what the library does not: `azp`, the age of the token, and `sub`."""
    claims["sub"].encode()  # raises for half of a surrogate pair, which MongoDB can't store
    if len(claims["sub"]) > _MAX_SUBJECT:
        raise InvalidClaimError("sub")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise InvalidClaimError("azp")
    if claims["iat"] < time.time() - SECONDS - _LEEWAY:
        raise InvalidClaimError("iat")
