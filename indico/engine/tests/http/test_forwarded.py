"""The peers from which `X-Forwarded-For` is accepted."""

from __future__ import annotations

from ipaddress import ip_network
from unittest import TestCase

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from ...http.action_handler import ActionHandler
from ...http.forwarded import Forwarded
from ..server_test import ServerTest

CLIENT = "203.0.113.9"


class WhoHandler(ActionHandler):
    async def am_i(self) -> dict[str, str | None]:
        return {"ip": self.request.remote_ip, "protocol": self.request.protocol}


class ForwardedTest(ServerTest):
    """A client that is no trusted proxy, and sends `X-Forwarded-For` all the same."""

    def setUp(self) -> None:
        super().setUp()
        self._app.add_handlers(".*", [(r"/who/(?P<action>[a-zA-Z_]+)?", WhoHandler)])

    def seen(self) -> tuple[str, str]:
        sent = {"X_Forwarded_For": CLIENT, "X_Forwarded_Proto": "https"}
        seen = self.data(self.post("/who/am_i", **sent))
        return seen["ip"], seen["protocol"]

    def test_not_trusted(self) -> None:
        self.assertEqual(self.seen(), ("127.0.0.1", "http"))


class TrustedTest(ForwardedTest):
    settings = {"trusted_proxies": "127.0.0.1"}  # noqa: RUF012

    def test_not_trusted(self) -> None:
        self.assertEqual(self.seen(), (CLIENT, "https"))


class ApplyTest(TestCase):
    def client(self, peer: str, *sent: str, proto: str = "") -> tuple[str, str]:
        forwarded = Forwarded([ip_network("10.0.0.0/8"), ip_network("::1/128")])
        headers = HTTPHeaders()
        for value in sent:
            headers.add("X-Forwarded-For", value)
        if proto:
            headers["X-Forwarded-Proto"] = proto
        request = HTTPServerRequest("GET", "/", headers=headers)
        request.remote_ip = peer
        forwarded.apply(request)
        return request.remote_ip, request.protocol

    def test_valid(self) -> None:
        for sent, client in (
            ([CLIENT], CLIENT),
            ([f"1.2.3.4, {CLIENT}"], CLIENT),
            (["1.2.3.4", CLIENT], CLIENT),
            ([f"1.2.3.4,{CLIENT} , 10.9.9.9"], CLIENT),
            (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            (["2001:db8::7"], "2001:db8::7"),
            ([], "10.0.0.1"),
        ):
            self.assertEqual(self.client("10.0.0.1", *sent), (client, "http"), sent)

    def test_what_is_no_address_hides_what_stands_before_it(self) -> None:
        for sent in ("unknown", f"{CLIENT}, unknown", f"{CLIENT}, 1.2.3.4:80", f"{CLIENT}, ,", ","):
            self.assertEqual(self.client("10.0.0.1", sent)[0], "10.0.0.1", sent)

    def test_a_peer_that_is_not_trusted(self) -> None:
        for peer in (CLIENT, "11.0.0.1", "::2", "0.0.0.0", ""):
            self.assertEqual(self.client(peer, "1.2.3.4", proto="https"), (peer, "http"))

    def test_an_address_of_both_kinds(self) -> None:
        self.assertEqual(self.client("::ffff:10.0.0.1", CLIENT)[0], CLIENT)
        self.assertEqual(self.client("::1", f"{CLIENT}, ::ffff:10.0.0.9")[0], CLIENT)

    def test_protocol(self) -> None:
        for sent, protocol in (("https", "https"), ("http, HTTPS", "https"), ("gopher", "http")):
            self.assertEqual(self.client("10.0.0.1", proto=sent)[1], protocol)
