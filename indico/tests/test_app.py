"""The contract, held against every route in the URL map."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from typing import Any, cast
from unittest import TestCase

import indico
from indico.app import ROUTES
from indico.config import Settings
from indico.engine import error
from indico.engine.http.action import record_of
from indico.engine.http.rest_handler import RestHandler
from indico.engine.http.route_names import path_template
from indico.engine.openapi.pages import api_of
from indico.engine.settings import ServerSettings, shown_default
from indico.error import IndicoError
from indico.routes.handler import IndicoHandler
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest

# Actions that need no token. Add one here only on purpose.
PUBLIC = {
    *("/auth/register", "/auth/login", "/auth/oidc_start", "/auth/oidc_finish", "/auth/oidc_link"),
    *("/system/ping", "/system/echo"),
}

RESOURCES: dict[str, type[IndicoHandler]] = {}
for pattern, handler in cast("list[tuple[str, type]]", ROUTES):
    if issubclass(handler, IndicoHandler):
        match = re.fullmatch(r"/([a-z_]+)/\(\?P<action>\[a-zA-Z_\]\+\)\?", pattern)
        assert match, f"{pattern} is not like the other routes"
        RESOURCES[match[1]] = handler

ACTIONS = {
    f"/{resource}/{name}": action
    for resource, handler in RESOURCES.items()
    for name, action in handler.actions.items()
}


class MapTest(ServerTest):
    def test_names(self) -> None:
        for resource, handler in RESOURCES.items():
            noun = resource.title().replace("_", "")
            self.assertEqual(handler.__name__, f"{noun}Handler")
            module = importlib.import_module(f"indico.routes.{resource}")
            self.assertIs(getattr(module, f"{noun}Route")[1], handler)

    def test_every_action_needs_a_token_or_is_public(self) -> None:
        public = {path for path, action in ACTIONS.items() if not record_of(action).look_up}
        self.assertEqual(
            public - PUBLIC, set(), "these need @auth, or a place in PUBLIC in this file"
        )
        for path in ACTIONS:
            response = self.post(path)
            if path in PUBLIC:
                self.assertNotEqual(response.code, 401, path)
            else:
                self.error(response, 401, "unauthenticated")

    def test_every_action_can_be_described(self) -> None:
        """A docstring, a typed answer without `Any`, and types that have a JSON schema."""
        self.assertLessEqual(ACTIONS.keys(), api_of(self._app).document()["paths"].keys())

    def test_every_action_is_marked(self) -> None:
        unmarked = [path for path, action in ACTIONS.items() if record_of(action).effect is None]
        self.assertEqual(unmarked, [], "mark each @read_only, @idempotent or @not_idempotent")

    def test_every_error_has_the_one_shape(self) -> None:
        for path in [*ACTIONS, "/healthz", "/readyz", "/nosuch"]:
            self.error(self.post(path, b"{", Content_Encoding="br"), *self.refusal(path))
            response = self.fetch(path, method="PUT", body="{")
            self.error(
                response,
                *((404, "not_found") if path == "/nosuch" else (405, "method_not_allowed")),
            )

    def refusal(self, path: str) -> tuple[int, str]:
        if path in ACTIONS:
            return 415, "unsupported_media_type"
        return (404, "not_found") if path == "/nosuch" else (405, "method_not_allowed")


class RestMapTest(ServerTest):
    """Rules for every REST resource that the app serves in development."""

    # Paths that need no token, as a client sends them. Add one here only on purpose.
    public = ("/addresses", "/addresses/0123456789abcdef01234567", "/openapi.json")

    def paths(self) -> dict[str, type[RestHandler]]:
        rules: list[Any] = self._app.wildcard_router.rules
        rest = [rule for rule in rules if issubclass(rule.target, RestHandler)]
        templates = [path_template(rule.matcher.regex.pattern) for rule in rest]
        paths = [template.replace("{}", "0123456789abcdef01234567") for template in templates]
        return {path: rule.target for path, rule in zip(paths, rest, strict=True)}

    def test_every_method_needs_a_token_or_is_public(self) -> None:
        for path, kind in self.paths().items():
            for method in set(kind.SUPPORTED_METHODS) - {"OPTIONS"}:
                response = self.fetch(path, method=method, allow_nonstandard_methods=True)
                self.assertEqual(response.code == 401, path not in self.public, (method, path))

    def test_every_error_has_the_one_shape(self) -> None:
        for path in (*self.paths(), "/nosuch"):
            for method in ("BREW", "POST", "PATCH"):
                response = self.fetch(path, method=method, body="{", allow_nonstandard_methods=True)
                body = json.loads(response.body)
                self.assertGreaterEqual(response.code, 400)
                self.assertEqual((body["method"], body["uri"]), (method, path))
                self.assertEqual((body["code"], type(body["message"])), (response.code, str))
                self.assertEqual(set(body["error"]), {"code", "request_id", "details", "retryable"})

    def test_every_method_says_what_it_does(self) -> None:
        for path, kind in self.paths().items():
            for method in set(kind.SUPPORTED_METHODS) - {"OPTIONS", "HEAD"}:
                self.assertTrue(inspect.getdoc(getattr(kind, method.lower())), (method, path))


class ErrorTreeTest(TestCase):
    def test_each_code_has_one_status(self) -> None:
        kinds = [
            kind
            for kind in vars(error).values()
            if inspect.isclass(kind) and issubclass(kind, IndicoError) and kind.__name__[0] != "_"
        ]
        statuses = {kind.code: {k.status for k in kinds if k.code == kind.code} for kind in kinds}
        self.assertEqual(len(statuses), 16)
        rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs/api.md").read_text(), re.M)
        self.assertEqual({code: {int(status)} for code, status in rows}, statuses)


class DocumentationTest(TestCase):
    def test_settings_page_has_every_setting(self) -> None:
        page = (ROOT / "docs/settings.md").read_text()
        yours, servers = page.split("\n## Yours\n")[1].split("\n## The server's\n")
        for text, own in ((yours, True), (servers, False)):
            rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", text, re.M)
            settings = [
                (name, f"`{shown_default(field)}`".replace("`unset`", ""), field.description)
                for name, field in Settings.model_fields.items()
                if own == (name not in ServerSettings.model_fields)
            ]
            self.assertEqual(rows, settings)

    def test_every_module_is_imported_and_says_what_it_owns(self) -> None:
        """Coverage counts only what is imported."""
        for module in pkgutil.walk_packages(indico.__path__, "indico."):
            if ".tests" not in module.name:
                self.assertTrue(importlib.import_module(module.name).__doc__, module.name)

    def test_every_dependency_is_pinned_and_has_its_reason(self) -> None:
        reasons = (ROOT / "docs/decisions/dependencies.md").read_text()
        files = {file.name: file.read_text() for file in ROOT.glob("req*.txt")}
        kinds = ("req.txt", "req-docs.txt", "req-test.txt", "req-check.txt", "req-browser.txt")
        self.assertEqual(files.keys(), set(kinds))
        for line in "".join(files.values()).splitlines():
            if line and not line.startswith("#"):
                package, version = line.split(";")[0].split("==")
                self.assertRegex(version.strip(), r"^[\d.]+$")
                self.assertRegex(reasons, rf"[| ]{re.escape(package)}[ ,]")
