"""`ProviderServer`: a provider that does what a test asks for, right or wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

CLIENT_ID, CLIENT_SECRET = "client of the test", "a secret: with +, / and %"
_ANY_HEADER = JWSRegistry(algorithms=["ES256"], strict_check_header=False)
METADATA = "/.well-known/openid-configuration"
# Made once, because making keys takes longer than most tests.
KEY, OTHER_KEY = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")


def public(key: ECKey, kid: str = "first") -> dict[str, Any]:
    """Return a key as a provider publishes it."""
    return {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "ES256"}


class ProviderServer:
    """A provider on a port of its own, on the loop that runs.

    `metadata`, `claims` and `header` change what it says; None takes a field away. `answers` are
    fixed answers by their paths, and paths in `silent` have none. `asked` has the paths of all
    requests. A person has logged in as soon as `log_in` is called with the address.
    """

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        self.key = KEY
        self.keys: list[Any] = [public(KEY)]
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self.signed
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.tokens: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        sockets = bind_sockets(0, "127.0.0.1")
        self.issuer = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        self._server = HTTPServer(Application([("/.*", _Handler)], provider=self))
        self._server.add_sockets(sockets)

    def close(self) -> None:
        """Refuse all connections from now on."""
        self._server.stop()

    def log_in(self, url: str) -> dict[str, str]:
        """Return what the provider adds to the redirect address, once a person has logged in."""
        query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        asked = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        assert asked.items() <= query.items(), query
        assert "openid" in query["scope"].split() and len(query["code_challenge"]) == 43
        code = secrets.token_urlsafe()
        self._codes[code] = query
        return {"code": code, "state": query["state"]}

    def answer(self, handler: RequestHandler) -> tuple[int, Any]:
        """Return the status and the document for a request."""
        paths: dict[str, Callable[[RequestHandler], tuple[int, Any]]] = {
            METADATA: lambda _: (200, self._metadata()),
            "/keys": lambda _: (200, {"keys": self.keys}),
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        return paths[handler.request.path](handler)

    def _metadata(self) -> dict[str, Any]:
        return _changed(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
            },
            self.metadata,
        )

    def _token(self, handler: RequestHandler) -> tuple[int, Any]:
        form = dict(parse_qsl(handler.request.body.decode(), strict_parsing=True))
        if not self._is_client(handler.request.headers.get("Authorization", ""), form):
            return 401, {"error": "invalid_client"}
        began = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        given = {"redirect_uri": form["redirect_uri"], "code_challenge": _encoded(digest)}
        if began is None or not given.items() <= began.items():
            return 400, {"error": "invalid_grant"}
        tokens = {"access_token": "access", "id_token": self._id_token(began)}
        return 200, _changed(tokens, self.tokens)

    def _is_client(self, authorization: str, form: Mapping[str, str]) -> bool:
        methods = self.metadata.get("token_endpoint_auth_methods_supported")
        if methods == ["none"]:
            return form.get("client_id") == CLIENT_ID and "client_secret" not in form
        if methods == ["client_secret_post"]:
            return (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        kind, _, encoded = authorization.partition(" ")
        shown = base64.b64decode(encoded).decode().split(":")
        return kind == "Basic" and [*map(unquote_plus, shown)] == [CLIENT_ID, CLIENT_SECRET]

    def _userinfo(self, handler: RequestHandler) -> tuple[int, Any]:
        valid = handler.request.headers.get("Authorization") == "Bearer access"
        return (200, self.about) if valid else (401, {})

    def _id_token(self, began: Mapping[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "ada",
            "nonce": began["nonce"],
            "iat": now,
            "exp": now + 300,
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        header = {"alg": "ES256", "kid": "first"}
        return self.sign(_changed(header, self.header), _changed(claims, self.claims))

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, self.key, registry=_ANY_HEADER)


def unsigned(header: Any, claims: Any) -> str:
    """Return a token with any header and claims, and without a signature."""
    return f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}."


def signed_by_secret(header: Any, claims: Any, secret: bytes) -> str:
    """Return a token with HMAC, whatever the secret is."""
    token = unsigned(header, claims).rstrip(".")
    return f"{token}.{_encoded(hmac.digest(secret, token.encode(), 'sha256'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _changed(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in {**document, **changes}.items() if v is not None}


class _Handler(RequestHandler):
    async def get(self) -> None:
        provider: ProviderServer = self.settings["provider"]
        path = self.request.path
        provider.asked.append(path)
        self._left = asyncio.Event()
        if path in provider.silent:
            await self._left.wait()
        elif path in provider.answers:
            status, body = provider.answers[path]
            self.set_status(status)
            self.finish(body)
        else:
            status, document = provider.answer(self)
            self.set_status(status)
            self.finish(json.dumps(document))

    post = get

    def on_connection_close(self) -> None:
        self._left.set()
