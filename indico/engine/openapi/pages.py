"""`GET /openapi.json`, and `GET /docs`: Swagger UI, which shows the document and calls the API."""

from __future__ import annotations

import asyncio
import hashlib
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from tornado.web import StaticFileHandler

from ..error import NotFound
from ..http.application import Application
from ..http.json_answer import dumps
from ..http.json_handler import JSONHandler
from ..http.rest_handler import RestHandler
from ..tasks import start
from .document import API

PACKAGE = "flask_swagger_ui"  # for its files only: Flask itself is never imported
_FILES = "swagger-ui.css|swagger-ui-bundle.js|favicon-32x32.png"
# Swagger UI draws its icons from data: URLs, and asks no other server.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
_POLICY += "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START = b"""\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
});
"""


class Rendered:
    """The document of an API as bytes with its tag, made once in a thread, at the first request."""

    def __init__(self, api: API) -> None:
        self.api = api
        self._made: asyncio.Future[tuple[bytes, str]] | None = None

    async def get(self) -> tuple[bytes, str]:
        if self._made is None or (self._made.done() and self._made.exception()):
            self._made = start(asyncio.to_thread(self._make))
        return await asyncio.shield(self._made)

    def _make(self) -> tuple[bytes, str]:
        body = dumps(self.api.document())
        return body, hashlib.sha256(body).hexdigest()[:32]


class OpenAPIHandler(RestHandler):
    """The document that describes the API."""

    def initialize(self, rendered: Rendered) -> None:
        self._rendered = rendered

    async def get(self) -> dict[str, JsonValue] | None:  # type: ignore[override]
        """Return the API's description, in OpenAPI 3.1."""
        body, tag = await self._rendered.get()
        if not self.not_modified(tag):
            self.finish(body)
        return None


class DocsHandler(JSONHandler):
    """Swagger UI's page and the script that starts it."""

    described = False
    SUPPORTED_METHODS = ("GET", "HEAD")

    def initialize(self, title: str) -> None:
        self._title = title

    async def get(self, script: str | None = None) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        if not files_of_swagger_ui():
            raise NotFound(
                "Swagger UI is not installed: pip install --no-deps -r req-docs.txt. "
                "The document itself is /openapi.json."
            )
        self.set_header("Content-Type", f"text/{'javascript' if script else 'html'}; charset=utf-8")
        self.finish(_START if script else _HTML.format(title=escape(self._title)))

    async def head(self, script: str | None = None) -> None:
        await self.get(script)


class FilesHandler(StaticFileHandler):
    """Swagger UI's own files, which its package brings."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")


def files_of_swagger_ui() -> Path | None:
    """Return the folder of Swagger UI's files; None if its package is not installed."""
    spec = find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0], "dist") if places else None


def openapi_route(api: API) -> Any:
    """Return the route of the API's document, which describes this route too."""
    itself = (r"/openapi\.json", OpenAPIHandler)
    rendered = Rendered(api._replace(routes=[*api.routes, itself]))
    return (*itself, {"rendered": rendered})


def api_of(app: Application) -> API:
    """Return the API that the route of `openapi_route` describes in `app`."""
    served = (rule.target_kwargs for rule in app.wildcard_router.rules)
    (api,) = (kwargs["rendered"].api for kwargs in served if "rendered" in kwargs)
    described: API = api
    return described


def docs_routes(api: API) -> list[Any]:
    """Return the routes of the page `/docs`."""
    routes: list[Any] = [(r"/docs(?:/(start\.js))?", DocsHandler, {"title": api.title})]
    if folder := files_of_swagger_ui():
        routes.append((rf"/docs/({_FILES})", FilesHandler, {"path": str(folder)}))
    return routes
