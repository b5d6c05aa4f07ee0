"""Versions of a REST resource: `ETag`, `If-Match`, `If-None-Match`, and compressed answers."""

from __future__ import annotations

import gzip
import json
from typing import Any

from ...http.application import Application
from ...http.rest_handler import RestHandler
from ..server_test import ServerTest

TEXT = "x" * 5000


class PageHandler(RestHandler):
    """One page, which stays in version `one`."""

    async def get(self) -> Any:
        return None if self.not_modified("one") else {"text": TEXT}

    async def put(self) -> Any:
        self.refuse_match("one")
        versions = self.versions
        assert self.body is self.body  # it is parsed once
        return {"text": self.body["text"], "versions": versions and sorted(versions)}


class UntaggedHandler(RestHandler):
    async def get(self) -> Any:
        return {"text": TEXT}


class PageTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [("/page", PageHandler), ("/untagged", UntaggedHandler)])
        return app

    def send(self, method: str, path: str = "/page", body: Any = None, **headers: str) -> Any:
        return self.fetch(
            path,
            method=method,
            body=None if body is None else json.dumps(body),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            allow_nonstandard_methods=True,
            decompress_response=False,
        )

    def refused(self, response: Any, status: int, code: str, message: str = "") -> Any:
        body = json.loads(response.body)
        self.assertEqual((response.code, body["code"]), (status, status))
        self.assertEqual(body["error"]["code"], code)
        if message:
            self.assertEqual((body["message"], response.reason), (message, message))
        return body


class MethodTest(PageTest):
    def test_options(self) -> None:
        response = self.send("OPTIONS")
        self.assertEqual((response.code, response.body), (204, b""))
        self.assertEqual(response.headers["Allow"], "GET, PUT, HEAD, OPTIONS")

    def test_head(self) -> None:
        response = self.send("HEAD")
        self.assertEqual((response.code, response.body), (200, b""))
        self.assertEqual(response.headers["ETag"], '"one"')
        self.assertEqual(response.headers["Cache-Control"], "no-cache")

    def test_malformed(self) -> None:
        for body in ("", [1]):
            response = self.send("PUT", body=body)
            error = self.refused(response, 400, "malformed", "Invalid JSON body")["error"]
            self.assertEqual([detail["reason"] for detail in error["details"]], ["malformed"])
        self.refused(self.send("PUT"), 400, "malformed", "Invalid JSON body")

    def test_unknown_endpoint(self) -> None:
        for method in ("GET", "PATCH", "NOSUCH"):
            response = self.send(method, "/nosuch")
            body = self.refused(response, 404, "not_found", "Unknown Endpoint")
            self.assertEqual((body["status"], body["uri"]), (404, "/nosuch"))
            self.assertEqual(body["method"], method)


class DebugTest(PageTest):
    settings = {"debug": True}  # noqa: RUF012

    def test_trace(self) -> None:
        trace = json.loads(self.send("PUT").body)["trace"]
        self.assertTrue(trace[0].startswith("Traceback"))


class VersionTest(PageTest):
    def test_not_modified(self) -> None:
        for tag in ('"one"', 'W/"one"', '"other", "one"', "*"):
            response = self.send("GET", If_None_Match=tag)
            self.assertEqual((response.code, response.body), (304, b""))
            self.assertEqual(response.headers["ETag"], '"one"')
        for tag in ('"other"', '"*"', 'W/"*"'):
            self.assertEqual(self.send("GET", If_None_Match=tag).code, 200)

    def test_answer_without_a_tag(self) -> None:
        tag = self.send("GET", "/untagged").headers["ETag"]
        self.assertEqual(self.send("GET", "/untagged", If_None_Match=tag).code, 304)

    def test_if_match(self) -> None:
        for tag in ('"one"', "*", '"other", "one"'):
            self.assertEqual(self.send("GET", If_Match=tag).code, 200)
        for tag in ('"other"', '"*"', 'W/"*"'):
            self.refused(self.send("GET", If_Match=tag), 412, "precondition_failed")

    def test_versions_to_change(self) -> None:
        sent = {"text": "new"}
        for headers, versions in (
            ({}, None),
            ({"If_Match": "*"}, None),
            ({"If_Match": '"one", W/"two"'}, ["one", "two"]),
            ({"If_Match": '"*"'}, ["*"]),
        ):
            response = self.send("PUT", body=sent, **headers)
            self.assertEqual(json.loads(response.body), {"text": "new", "versions": versions})

    def test_a_change_that_is_excluded(self) -> None:
        for tag in ('"one"', "*"):
            response = self.send("PUT", body={"text": "new"}, If_None_Match=tag)
            self.refused(response, 412, "precondition_failed")
        for tag in ('"other"', '"*"'):
            response = self.send("PUT", body={"text": "new"}, If_None_Match=tag)
            self.assertEqual(response.code, 200)


class CompressionTest(PageTest):
    def test_when_the_client_asks(self) -> None:
        plain, packed = self.send("GET"), self.send("GET", Accept_Encoding="gzip")
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        for response in (plain, packed):
            self.assertEqual(response.headers["Vary"], "Accept-Encoding")

    def test_when_the_client_refuses(self) -> None:
        for refusal in ("gzip;q=0", "br, gzip ; q=0.0, x", "identity"):
            response = self.send("GET", Accept_Encoding=refusal)
            self.assertNotIn("Content-Encoding", response.headers)
