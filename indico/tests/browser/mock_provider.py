"""`MockProvider`: oidc-provider-mock in a thread, which does not check PKCE; so this does."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from oidc_provider_mock import User, app

PEOPLE = [
    User(sub=name, claims={"email": f"{name}@example.com", "email_verified": True, "name": name})
    for name in ("ada", "grace")
]


class MockProvider:
    """The provider at `issuer`, with the people of `PEOPLE`, who log in by a click.

    `challenges` has the code challenges of all logins that began there, and `proven` those of
    which the right verifier came with the code.
    """

    def __init__(self) -> None:
        self.challenges: set[str] = set()
        self.proven: list[str] = []
        self._app: Any = app(user_claims=PEOPLE)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, server_class=_ThreadingServer, handler_class=_Silent
        )
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"])
        if query.get("code_challenge_method") == ["S256"]:
            self.challenges |= {*query["code_challenge"]}
        if environ["PATH_INFO"] == "/oauth2/token":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            (verifier,) = parse_qs(body.decode())["code_verifier"]
            digest = hashlib.sha256(verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            self.proven += {challenge} & self.challenges
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    # Chromium opens connections that it does not use at once.
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
