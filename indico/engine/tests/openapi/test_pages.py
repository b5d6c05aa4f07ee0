"""`/openapi.json` and `/docs`, by HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from unittest.mock import patch

from tornado.httpclient import HTTPResponse

from ...openapi import pages
from ...openapi.document import API
from ..server_process import ROOT
from ..server_test import ServerTest


class DocumentTest(ServerTest):
    def test_valid(self) -> None:
        response = self.fetch("/openapi.json")
        document = json.loads(response.body)
        self.assertEqual((response.code, document["openapi"]), (200, "3.1.1"))
        self.assertEqual(response.headers["Content-Type"], "application/json")
        self.assertIn("/user/update", document["paths"])
        self.assertIn("/openapi.json", document["paths"])

    def test_etag(self) -> None:
        tag = self.fetch("/openapi.json").headers["ETag"]
        response = self.fetch("/openapi.json", headers={"If-None-Match": tag})
        self.assertEqual((response.code, response.body), (304, b""))
        self.assertEqual(self.fetch("/openapi.json", method="HEAD").headers["ETag"], tag)

    def test_a_failure_is_tried_again(self) -> None:
        with patch.object(API, "document", side_effect=TypeError("no docstring")):
            self.assertEqual(self.fetch("/openapi.json").code, 500)
        self.assertEqual(self.fetch("/openapi.json").code, 200)


class DocsTest(ServerTest):
    def page(self, path: str, kind: str) -> HTTPResponse:
        response = self.fetch(path)
        self.assertEqual(response.code, 200)
        self.assertRegex(response.headers["Content-Type"], kind)
        self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")
        return response

    def test_page(self) -> None:
        response = self.page("/docs", "text/html")
        policy = response.headers["Content-Security-Policy"]
        for directive in ("default-src 'none'", "style-src 'self'", "script-src 'self'"):
            self.assertIn(f"{directive};", policy)
        self.assertNotIn("unsafe", policy)
        for path in ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js"):
            self.assertIn(f'"{path}"', response.body.decode())
        self.assertNotIn("<style", response.body.decode())
        self.assertEqual(self.fetch("/docs", method="HEAD").code, 200)

    def test_files(self) -> None:
        self.page("/docs/swagger-ui.css", "text/css")
        self.page("/docs/swagger-ui-bundle.js", "javascript")
        self.page("/docs/favicon-32x32.png", "image/png")
        script = self.page("/docs/start.js", "text/javascript").body.decode()
        self.assertIn('"/openapi.json"', script)

    def test_no_other_file(self) -> None:
        for path in ("/docs/LICENSE", "/docs/../__init__.py", "/docs/nosuch.js"):
            self.assertEqual(self.fetch(path).code, 404)

    def test_without_the_package(self) -> None:
        with patch.object(pages, "PACKAGE", "nosuch_package"):
            error = self.fetch("/docs")
            self.assertEqual(error.code, 404)
            self.assertIn("pip install --no-deps -r req-docs.txt", error.body.decode())
            self.assertEqual(len(pages.docs_routes(pages.api_of(self._app))), 1)

    def test_flask_is_not_imported(self) -> None:
        code = f"import sys; from {pages.__name__} import files_of_swagger_ui as find; "
        code += (
            "assert find().is_dir(); assert not {'flask', 'flask_swagger_ui'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
