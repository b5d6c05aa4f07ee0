"""CORS, as a browser asks for it before and with a call from a page of another origin."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.testing import gen_test

from ...http.action_handler import ActionHandler
from ...http.application import Application
from ..server_test import ServerTest, exchange

PAGE = "https://app.example.com"
OTHER = "https://evil.example.com"
NAMES = ("Allow-Origin", "Allow-Credentials", "Expose-Headers", "Allow-Methods", "Allow-Headers")


class WaitingHandler(ActionHandler):
    begun: asyncio.Event
    go_on: asyncio.Event

    async def waits(self) -> None:
        self.begun.set()
        await self.go_on.wait()


class CORSTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [(r"/job/(?P<action>[a-z]+)", WaitingHandler)])
        return app

    def ask(self, method: str, path: str, origin: str | None, **headers: str) -> HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = named if origin is None else {**named, "Origin": origin}
        return self.fetch(
            path, method=method, body="", headers=sent, allow_nonstandard_methods=True
        )

    def preflight(self, path: str, origin: str, method: str = "POST") -> HTTPResponse:
        asked = "authorization,content-type"
        return self.ask(
            "OPTIONS",
            path,
            origin,
            Access_Control_Request_Method=method,
            Access_Control_Request_Headers=asked,
        )

    def granted(self, response: Any) -> list[str]:
        headers = {name.lower(): value for name, value in dict(response).items()}
        return [headers.get(f"access-control-{name.lower()}", "") for name in NAMES]


class OffTest(CORSTest):
    def test_nothing_is_allowed(self) -> None:
        self.assertEqual(self.preflight("/system/ping", PAGE).code, 405)
        for path in ("/system/ping", "/items", "/nosuch"):
            response = self.ask("POST", path, PAGE)
            self.assertEqual(self.granted(response.headers), [""] * 5)
            self.assertNotIn("Origin", response.headers.get("Vary", ""))


class ListTest(CORSTest):
    settings = {"cors_origins": [PAGE, "http://localhost:3000"], "max_in_flight": 1}  # noqa: RUF012

    def test_preflight(self) -> None:
        for path, methods in (
            ("/system/ping", "POST"),
            ("/items", "GET, POST, HEAD, OPTIONS"),
            ("/nosuch", "GET, HEAD, POST, DELETE, PATCH, PUT, OPTIONS"),
        ):
            response = self.preflight(path, PAGE)
            self.assertEqual((response.code, response.body), (204, b""))
            origin, credentials, _, allowed, names = self.granted(response.headers)
            self.assertEqual((origin, credentials, allowed), (PAGE, "true", methods))
            self.assertEqual(names, "authorization,content-type")
            self.assertEqual(response.headers["Vary"], "Origin")
            self.assertEqual(response.headers["Access-Control-Max-Age"], "7200")

    def test_preflight_of_another_origin(self) -> None:
        for origin in (OTHER, PAGE.upper(), f"{PAGE}:443", "null", f"{PAGE}, {PAGE}", ""):
            response = self.preflight("/system/ping", origin)
            self.assertEqual(self.granted(response.headers)[:3], [""] * 3, origin)

    def test_options_that_is_no_preflight(self) -> None:
        self.assertEqual(self.ask("OPTIONS", "/items", PAGE).headers["Allow"][:3], "GET")
        self.assertEqual(self.ask("OPTIONS", "/system/ping", PAGE).code, 405)

    def test_every_answer(self) -> None:
        for method, path, status in (
            ("POST", "/system/ping", 200),
            ("POST", "/user/get", 401),
            ("POST", "/system/nosuch", 404),
            ("PUT", "/system/ping", 405),
            ("POST", "/nosuch", 404),
            ("POST", "/items", 400),
            ("GET", "/healthz", 200),
        ):
            for origin in (PAGE, OTHER, None):
                response = self.ask(method, path, origin)
                self.assertEqual(response.code, status)
                self.assertEqual(response.headers["Vary"].split(", ")[0], "Origin")
                expected = [PAGE, "true"] if origin == PAGE else ["", ""]
                self.assertEqual(self.granted(response.headers)[:2], expected)
                exposed = response.headers.get("Access-Control-Expose-Headers", "").split(", ")
                wanted = {"X-Request-Id", "Retry-After", "ETag", "Location"}
                self.assertEqual(wanted <= set(exposed), origin == PAGE)

    def test_beside_compression(self) -> None:
        response = self.ask("GET", "/items", PAGE, Accept_Encoding="gzip")
        self.assertEqual(response.headers["Vary"], "Origin, Accept-Encoding")

    @gen_test
    async def test_refusals(self) -> None:
        """Send a request that is refused unparsed, and one that is refused after its head."""
        WaitingHandler.begun, WaitingHandler.go_on = asyncio.Event(), asyncio.Event()
        port = self.get_http_port()
        head = b"POST /job/waits HTTP/1.1\r\nHost: a\r\n%bContent-Length: 0\r\n\r\n"
        waiting = asyncio.create_task(exchange(port, head % b""))
        await WaitingHandler.begun.wait()
        for line, granted in ((PAGE, PAGE), (OTHER, ""), (f"{PAGE}\r\nOrigin: {PAGE}", "")):
            for more in ("", "Connection: close\r\n"):  # which is parsed first
                sent = head % f"Origin: {line}\r\n{more}".encode()
                status, headers, body = await exchange(port, sent)
                self.assertEqual((status, headers["vary"]), (503, "Origin"))
                self.assertEqual(headers.get("access-control-allow-origin", ""), granted)
                self.assertTrue(json.loads(body)["error"]["retryable"])
        WaitingHandler.go_on.set()
        await waiting


class AllTest(CORSTest):
    settings = {"cors_origins": "*"}  # noqa: RUF012

    def test_no_credentials(self) -> None:
        for response in (
            self.preflight("/system/ping", OTHER),
            self.ask("POST", "/system/ping", OTHER),
            self.ask("POST", "/system/ping", None),
        ):
            self.assertEqual(self.granted(response.headers)[:2], ["*", ""])
            self.assertNotIn("Vary", response.headers)
