"""`Client`: the logins with one provider, from the redirect there to the person's identity."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from joserfc.jwk import KeySet

from .error import LoginFailed
from .fetching import Fetcher
from .flow import Flow
from .id_token import InvalidKeyIdError, check_id_token, key_set
from .identity import Identity
from .metadata import Metadata, fetch_metadata
from .provider import Provider
from .renewed import Renewed
from .used_states import use_once

_SCOPE = "openid email profile"


class Client:
    """The client of one provider, whose metadata and keys it keeps and renews."""

    def __init__(self, name: str, provider: Provider, seconds: float) -> None:
        self.name = name
        self.provider = provider
        self.label = provider.label or name
        self.server = Fetcher(name, seconds)
        self.metadata: Renewed[Metadata] = Renewed(
            lambda: fetch_metadata(self.server, provider.issuer)
        )
        self.keys: Renewed[KeySet] = Renewed(self._fetch_keys)

    async def begin(
        self, redirect_uri: str, next_path: str = "", user: str = ""
    ) -> tuple[Flow, str]:
        """Return a new flow, and the address where the person logs in."""
        endpoint = (await self.metadata.get()).authorization_endpoint
        flow = Flow.begin(self.name, redirect_uri, next_path, user)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.provider.client_id,
                "redirect_uri": redirect_uri,
                "scope": _SCOPE,
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": flow.challenge,
                "code_challenge_method": "S256",
            }
        )
        return flow, f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    async def finish(self, flow: Flow, answer: Mapping[str, str]) -> Identity:
        """Return the person who came back with the fields `answer`.

        Raises `LoginFailed` and `ProviderUnavailable`. Each flow is finished once.
        """
        code = flow.code(answer)
        await use_once(flow.state)
        metadata = await self.metadata.get()
        told = "iss" in answer or metadata.authorization_response_iss_parameter_supported
        if told and answer.get("iss") != self.provider.issuer:  # another provider's (RFC 9207)
            raise LoginFailed("answer")
        tokens = await self._exchange(metadata, flow, code)
        claims = await self._checked(tokens.get("id_token"), flow.nonce)
        about = await self._about(metadata, tokens.get("access_token"), claims)
        return Identity.of(self.name, {**about, **claims}, flow.user)

    async def _exchange(self, metadata: Metadata, flow: Flow, code: str) -> dict[str, Any]:
        """Return the tokens for a code."""
        methods = metadata.token_endpoint_auth_methods_supported
        headers, credentials = self._credentials("client_secret_basic" in methods)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
            **credentials,
        }
        status, tokens = await self.server.fetch(metadata.token_endpoint, headers, form)
        if status == 200:
            return tokens
        problem = tokens.get("error")
        error = self.server.unavailable(f"no tokens, but {status} {problem!r:.100}")
        # A wrong, old or used code fails this login. Any other answer is a fault of a server.
        raise LoginFailed("answer") if problem == "invalid_grant" else error

    def _credentials(self, basic: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Return the header and the fields by which this server shows its secret (RFC 6749)."""
        client_id, secret = self.provider.client_id, self.provider.client_secret
        if secret is None:
            return {}, {"client_id": client_id}
        if not basic:
            return {}, {"client_id": client_id, "client_secret": secret.get_secret_value()}
        # A space as %20, because not every provider reads + as one.
        both = ":".join(quote(each, safe="") for each in (client_id, secret.get_secret_value()))
        return {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}, {}

    async def _checked(self, token: object, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token. An unknown key renews the keys once."""
        try:
            return check_id_token(token, await self.keys.get(), self.provider, nonce)
        except InvalidKeyIdError:
            await self.keys.renew()
        try:
            return check_id_token(token, await self.keys.get(), self.provider, nonce)
        except InvalidKeyIdError:
            raise LoginFailed("answer") from None

    async def _about(
        self, metadata: Metadata, access_token: object, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what else the provider says of the person, if the ID token has no email."""
        url = metadata.userinfo_endpoint
        if "email" in claims or url is None or not isinstance(access_token, str):
            return {}
        status, about = await self.server.fetch(url, {"Authorization": f"Bearer {access_token}"})
        return about if status == 200 and about.get("sub") == claims["sub"] else {}

    async def _fetch_keys(self) -> KeySet:
        url = (await self.metadata.get()).jwks_uri
        _, document = await self.server.fetch(url)
        if keys := key_set(document):
            return keys
        raise self.server.unavailable(f"{url} has no key")
