"""`/addresses`: the public address book."""

from __future__ import annotations

import gzip
import json
from typing import Any
from unittest.mock import patch

from tornado.httpclient import HTTPResponse

import indico.db.address_db as AddressDB
from indico.db import ObjectId
from indico.tests.server_test import ServerTest

BILL = {"full_name": "Bill Gates", "emails": [{"kind": "work", "email": "billg@example.com"}]}
UNKNOWN = f"/addresses/{ObjectId()}"


class AddressesTest(ServerTest):
    """The public book."""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.fetch(
            path,
            method=method,
            body=raw,
            headers=named,
            allow_nonstandard_methods=True,
            decompress_response=False,
        )

    def create(self, entry: Any = BILL) -> str:
        """Create an entry and return its path."""
        response = self.send("POST", "/addresses", entry)
        self.assertEqual((response.code, response.body), (201, b""))
        self.assertRegex(response.headers["Location"], r"^/addresses/[0-9a-f]{24}$")
        return response.headers["Location"]

    def get(self, path: str) -> Any:
        response = self.send("GET", path)
        self.assertEqual(response.code, 200, response.body)
        return json.loads(response.body)

    def refused(self, response: HTTPResponse, status: int, code: str, message: str = "") -> Any:
        """Return the body of an answer, which must be an error with this status and code."""
        body = json.loads(response.body)
        self.assertEqual((response.code, body["code"]), (status, status), body)
        self.assertEqual(body["method"], response.request.method)
        self.assertEqual(body["uri"], response.request.url.removeprefix(self.get_url("")))
        self.assertEqual(body["error"]["code"], code)
        self.assertEqual(body["error"]["request_id"], response.headers["X-Request-Id"])
        self.assertNotIn("trace", body)
        if message:
            self.assertEqual(body["message"], message)
        return body

    def etag(self, path: str, method: str = "GET") -> str:
        tag: str = self.send(method, path).headers["ETag"]
        return tag


class LifeTest(AddressesTest):
    def test_from_empty_book_to_empty_book(self) -> None:
        self.assertEqual(self.get("/addresses"), {})
        path = self.create()
        self.assertEqual(self.get(path), BILL)
        self.assertEqual(self.get("/addresses"), {path.removeprefix("/addresses/"): BILL})

        self.refused(self.send("PUT", path, b"{"), 400, "malformed", "Invalid JSON body")
        self.refused(self.send("PUT", UNKNOWN, {}), 404, "not_found")
        response = self.send("PUT", path, {"name": "Bill", "a": {"b": 1, "c": 2}})
        self.assertEqual((response.code, response.body), (204, b""))

        self.refused(self.send("PATCH", path, b"[]"), 400, "malformed", "Invalid JSON body")
        self.refused(self.send("PATCH", UNKNOWN, {}), 404, "not_found")
        response = self.send("PATCH", path, {"a": {"b": None}, "name": "William"})
        self.assertEqual(json.loads(response.body), {"name": "William", "a": {"c": 2}})
        self.assertEqual(self.get(path), {"name": "William", "a": {"c": 2}})

        response = self.send("DELETE", path)
        self.assertEqual((response.code, response.body), (204, b""))
        self.refused(self.send("DELETE", path), 404, "not_found")
        self.refused(self.send("GET", path), 404, "not_found", "There is no such address.")
        self.assertEqual(self.get("/addresses"), {})

    def test_slash_at_the_end(self) -> None:
        response = self.send("POST", "/addresses/", BILL)
        path = response.headers["Location"] + "/"
        self.assertEqual(self.get(path), BILL)
        self.assertEqual(len(self.get("/addresses/")), 1)
        self.assertEqual(self.send("PUT", path, {}).code, 204)
        self.assertEqual(self.send("PATCH", path, {}).code, 200)
        self.assertEqual(self.send("DELETE", path).code, 204)

    def test_body_that_is_no_object(self) -> None:
        path = self.create()
        for body in (b"", b"{", b"[]", b"null", b"1", b'"a"', b'{"a":NaN}', b'{"a":"\\ud800"}'):
            for method, where in (("POST", "/addresses"), ("PUT", path), ("PATCH", path)):
                response = self.send(method, where, body)
                refused = self.refused(response, 400, "malformed", "Invalid JSON body")
                self.assertEqual(response.reason, "Invalid JSON body")
                self.assertTrue(refused["error"]["details"][0]["message"])
        self.assertEqual(self.get(path), BILL)
        self.assertEqual(len(self.get("/addresses")), 1)

    def test_wrong_entry(self) -> None:
        path = self.create()
        wrong = {"$a": 1, "emails": []}
        for method, where in (("POST", "/addresses"), ("PUT", path), ("PATCH", path)):
            body = self.refused(self.send(method, where, wrong), 400, "invalid_argument")
            self.assertEqual([detail["path"] for detail in body["error"]["details"]], ["$a"])
        body = self.refused(self.send("PUT", path, {"name": 5}), 400, "invalid_argument")
        self.assertEqual(
            body["message"], "The field name is wrong: input should be a valid string."
        )
        self.assertEqual(self.get(path), BILL)

    def test_too_large(self) -> None:
        half = {"a": "x" * 600_000}
        path = self.create(half)
        self.refused(self.send("POST", "/addresses", {"a": "x" * (1 << 20)}), 413, "too_large")
        body = self.refused(self.send("PATCH", path, {"b": "x" * 600_000}), 400, "invalid_argument")
        self.assertEqual(body["error"]["details"][0]["reason"], "too_large")
        self.assertEqual(self.get(path), half)

    def test_unknown_endpoint(self) -> None:
        for path in ("/addresses/xyz", "/addresses/1/2", "/nowhere", f"{UNKNOWN}0"):
            for method in ("GET", "PUT", "PATCH", "DELETE", "POST", "BREW"):
                response = self.send(method, path, None if method == "GET" else {})
                if response.code != 405:
                    self.assertEqual(response.reason, "Unknown Endpoint")
                    self.refused(response, 404, "not_found", "Unknown Endpoint")
                else:
                    self.assertIn(
                        (path[:10], method), [("/addresses", "POST"), ("/addresses", "BREW")]
                    )

    def test_wrong_method(self) -> None:
        for method, path, allowed in (
            ("PUT", "/addresses", "GET, POST, HEAD, OPTIONS"),
            ("DELETE", "/addresses/", "GET, POST, HEAD, OPTIONS"),
            ("POST", UNKNOWN, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
            ("BREW", UNKNOWN, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ):
            response = self.send(method, path, {})
            self.refused(response, 405, "method_not_allowed")
            self.assertEqual(response.headers["Allow"], allowed)

    def test_options(self) -> None:
        response = self.send("OPTIONS", "/addresses")
        self.assertEqual((response.code, response.body), (204, b""))
        self.assertEqual(response.headers["Allow"], "GET, POST, HEAD, OPTIONS")

    def test_head(self) -> None:
        path = self.create()
        for where in (path, "/addresses", "/addresses?limit=1"):
            got, head = self.send("GET", where), self.send("HEAD", where)
            self.assertEqual((head.code, head.body), (200, b""))
            headers = {**got.headers, "X-Request-Id": "", "Date": "", "Content-Length": ""}
            also = {**head.headers, "X-Request-Id": "", "Date": "", "Content-Length": ""}
            self.assertEqual(also, headers)
        length = str(len(self.send("GET", path).body))
        self.assertEqual(self.send("HEAD", path).headers["Content-Length"], length)
        self.assertEqual(self.send("HEAD", UNKNOWN).code, 404)


class ContendedTest(AddressesTest):
    def test_too_many_patches_of_one_entry(self) -> None:
        path = self.create()
        with patch.object(AddressDB, "replace", return_value=None):
            response = self.send("PATCH", path, {"a": 1})
        self.refused(response, 409, "conflict")
        self.assertEqual(response.headers["Retry-After"], "1")
        self.assertEqual(self.get(path), BILL)


class PageTest(AddressesTest):
    def test_pages(self) -> None:
        paths = [self.create({"n": n}) for n in range(5)]
        found, cursor = [], ""
        for length in (2, 2, 1):
            page = self.get(f"/addresses?limit=2{cursor}")
            self.assertEqual(list(page), ["items", "next_cursor"])
            self.assertEqual(len(page["items"]), length)
            found += page["items"]
            cursor = f"&cursor={page['next_cursor']}"
        self.assertIsNone(page["next_cursor"])
        expected = [{"id": path[-24:], "entry": {"n": n}} for n, path in enumerate(paths)]
        self.assertEqual(found, expected)

    def test_while_entries_come_and_go(self) -> None:
        paths = [self.create({"n": n}) for n in range(4)]
        page = self.get("/addresses?limit=2")
        self.send("DELETE", paths[1])
        self.create({"n": 4})
        page = self.get(f"/addresses?cursor={page['next_cursor']}")
        self.assertEqual([item["entry"]["n"] for item in page["items"]], [2, 3, 4])
        self.assertIsNone(page["next_cursor"])

    def test_wrong_cursor(self) -> None:
        for _ in range(2):
            self.create()
        mine = self.get("/addresses?limit=1")["next_cursor"]
        token = self.register()["token"]
        for name in ("a", "b"):
            self.data(self.post("/address/create", {"entry": {"name": name}}, token), 201)
        theirs = self.data(self.post("/address/list", {"limit": 1}, token))["next_cursor"]
        other = "A" if mine[-9] != "A" else "B"
        forged = [mine[:-9] + other + mine[-8:], mine[1:], "x", "", "%ff", "a.b"]
        for cursor in (*forged, theirs):
            response = self.send("GET", f"/addresses?limit=1&cursor={cursor}")
            body = self.refused(response, 400, "invalid_argument")
            if cursor != "%ff":
                self.assertEqual(body["error"]["details"][0]["path"], "cursor")

    def test_wrong_limit(self) -> None:
        for limit in ("0", "-1", "1001", "x", "", "1.0", "1_0", "%2B5"):
            response = self.send("GET", f"/addresses?limit={limit}")
            body = self.refused(response, 400, "invalid_argument")
            self.assertEqual(body["error"]["details"][0]["path"], "limit")


class CompressionTest(AddressesTest):
    def test_when_the_client_asks(self) -> None:
        path = self.create({"a": "x" * 5000})
        for where in (path, "/addresses", "/addresses?limit=1"):
            plain = self.send("GET", where)
            self.assertNotIn("Content-Encoding", plain.headers)
            packed = self.send("GET", where, Accept_Encoding="gzip")
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            for response in (plain, packed):
                self.assertEqual(response.headers["Vary"], "Accept-Encoding")
            tag = packed.headers["ETag"]
            response = self.send("GET", where, Accept_Encoding="gzip", If_None_Match=tag)
            self.assertEqual(response.code, 304)
        response = self.send("PUT", path, {"b": 1}, If_Match=self.etag(path))
        self.assertEqual(response.code, 204)

    def test_when_the_client_refuses(self) -> None:
        path = self.create({"a": "x" * 5000})
        for refusal in ("gzip;q=0", "br, gzip ; q=0.0, x", "identity"):
            response = self.send("GET", path, Accept_Encoding=refusal)
            self.assertNotIn("Content-Encoding", response.headers)

    def test_compressed_body(self) -> None:
        body = gzip.compress(json.dumps(BILL).encode())
        response = self.send("POST", "/addresses", body, Content_Encoding="gzip")
        self.assertEqual(self.get(response.headers["Location"]), BILL)


class DebugTest(AddressesTest):
    settings = {"debug": True}  # noqa: RUF012

    def test_trace(self) -> None:
        for response in (self.send("GET", UNKNOWN), self.send("POST", "/addresses", b"{")):
            body = json.loads(response.body)
            self.assertTrue(body["trace"][0].startswith("Traceback"), body)


class FaultTest(AddressesTest):
    def test_of_ours(self) -> None:
        with patch.object(AddressDB, "get", side_effect=RuntimeError("secret")):
            body = self.refused(self.send("GET", UNKNOWN), 500, "internal")
        self.assertEqual(body["message"], "Something went wrong on the server.")


class SwitchedOffTest(AddressesTest):
    settings = {"public_address_book": False}  # noqa: RUF012

    def test_there_is_no_public_book(self) -> None:
        for path in ("/addresses", UNKNOWN):
            for method in ("GET", "DELETE"):
                response = self.send(method, path)
                self.refused(response, 404, "not_found", "Unknown Endpoint")
        token = self.register()["token"]
        self.data(self.post("/address/create", {"entry": BILL}, token), 201)
