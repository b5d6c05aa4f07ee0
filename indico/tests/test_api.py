"""The API's document, and docs/api.md, which is made from it."""

from __future__ import annotations

import json
import re
import runpy
import sys
import tempfile
from importlib.util import find_spec
from unittest import TestCase
from unittest.mock import patch

from indico.api import PAGE, document, text
from indico.engine.openapi.schemas import Schema
from indico.tests.deploy.programs import needs
from indico.tests.server_test import ServerTest


class PageTest(TestCase):
    """The page, for which each action and each method of the app is described."""

    integration = True
    page: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.page = text()

    def test_is_not_old(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        self.assertEqual(page, self.page, "docs/api.md is old: run `python3 run.py api`")

    def test_is_written(self) -> None:
        with tempfile.NamedTemporaryFile("r") as file:
            with patch.object(sys, "argv", ["api", file.name]):
                runpy.run_module("indico.api", run_name="__main__")
            self.assertEqual(file.read(), self.page)


class DocumentTest(TestCase):
    integration = True
    covers = False
    document: Schema

    @classmethod
    def setUpClass(cls) -> None:
        cls.document = document()

    def test_references_lead_somewhere(self) -> None:
        """The validator accepts a document that refers to a component which is missing."""
        for reference in set(re.findall(r'"#/(components/[^"]+)"', json.dumps(self.document))):
            found = self.document
            for name in reference.split("/"):
                self.assertIn(name, found, reference)
                found = found[name]

    @needs("yes" if find_spec("openapi_spec_validator") else None, "openapi-spec-validator")
    def test_is_valid(self) -> None:
        from openapi_spec_validator import OpenAPIV31SpecValidator  # it takes half a second

        errors = list(OpenAPIV31SpecValidator(self.document).iter_errors())
        self.assertEqual(errors, [])


class DevelopmentTest(ServerTest):
    def test_docs(self) -> None:
        self.assertEqual(self.fetch("/docs").code, 200)
        self.assertEqual(self.fetch("/docs/start.js").code, 200)


class SwitchedOffTest(ServerTest):
    settings = {"docs": False}  # noqa: RUF012

    def test_docs(self) -> None:
        self.assertEqual(self.fetch("/docs").code, 404)
        self.assertEqual(self.fetch("/docs/swagger-ui.css").code, 404)
        self.assertEqual(self.fetch("/openapi.json").code, 200)


class SettingTest(ServerTest):
    def test_docs_are_for_development(self) -> None:
        settings = self.make_settings()
        self.assertTrue(settings.serves_docs)
        production = settings.model_copy(update={"environment": "production"})
        self.assertFalse(production.serves_docs)
        self.assertTrue(production.model_copy(update={"docs": True}).serves_docs)
