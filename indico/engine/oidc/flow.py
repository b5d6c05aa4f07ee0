"""`Flow`: one login on its way, from the first click to the person's return."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ..http.signed_value import SignedValue
from ..log import LOGGER
from .error import LoginFailed

SECONDS = 600


@dataclass(frozen=True)
class Flow:
    """The secrets of a login. The browser or the app that began it keeps them, and nobody else.

    `state` ties the answer to that browser. `nonce` ties the ID token to this login. `verifier`
    ties the code to this login (PKCE, RFC 7636). `next` is the page to go to afterwards. `user` is
    the id of the account that the person adds this way to log in to; "" for a login.
    """

    provider: str
    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    next: str = ""
    user: str = ""

    @classmethod
    def begin(cls, provider: str, redirect_uri: str, next_path: str, user: str) -> Self:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(provider, redirect_uri, state, nonce, verifier, next_path, user)

    @property
    def challenge(self) -> str:
        """The SHA-256 of the verifier, which the provider compares later (method S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def code(self, answer: Mapping[str, str]) -> str:
        """Return the code in the provider's answer. Raises `LoginFailed` for another flow's answer.

        Any link can bring a browser here with a code, even with that of an attacker's account.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), self.state.encode()):
            raise LoginFailed("state")
        if problem := answer.get("error"):
            LOGGER.info("login with %s: it answered %.100r", self.provider, problem)
            raise LoginFailed("refused")
        if code := answer.get("code"):
            return code
        raise LoginFailed("answer")


FLOW = SignedValue("oidc_flow", Flow, SECONDS)
