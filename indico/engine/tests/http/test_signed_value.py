"""Values that this server signs for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tornado.httpclient import HTTPResponse

from ...http.application import Application
from ...http.html_handler import HTMLHandler
from ...http.signed_value import SignedValue
from ..server_test import ServerTest


@dataclass(frozen=True)
class Ticket:
    seat: str
    row: int = 1


TICKET = SignedValue("ticket", Ticket, 600)
OTHERS: dict[str, SignedValue[Any]] = {
    "other": SignedValue("other", Ticket, 600),
    "old": SignedValue("ticket", Ticket, -1),
    "changed": SignedValue("ticket", int, 600),
}


class TicketHandler(HTMLHandler):
    """A page that gives out a ticket, and shows the one in the cookie or in the query."""

    async def get(self) -> None:
        text = self.get_query_argument("text", "")
        value = OTHERS.get(self.get_query_argument("as", ""), TICKET)
        self.finish(str(value.read(self, text) if text else value.read_cookie(self)))

    async def post(self) -> None:
        if seat := self.form.get("seat"):
            TICKET.set_cookie(self, Ticket(seat))
            self.finish(TICKET.write(self, Ticket(seat)))
        else:
            TICKET.clear_cookie(self)
            self.finish("cleared")


class SignedValueTest(ServerTest):
    varies_with: ClassVar[tuple[str, ...]] = ()

    def make_app(self, settings: Any) -> Application:
        return Application([(r"/ticket", TicketHandler)], settings)

    def issue(self, form: str = "seat=window") -> HTTPResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.fetch("/ticket", method="POST", body=form, headers=headers)

    def shown(self, query: str = "", cookie: str = "") -> str:
        headers = {"Cookie": cookie} if cookie else {}
        return self.fetch(f"/ticket?{query}", headers=headers).body.decode()

    def test_text(self) -> None:
        text = self.issue().body.decode()
        self.assertEqual(self.shown(f"text={text}"), str(Ticket("window")))
        for wrong in ("x", text[:-1], text.replace("|", "!"), f"{text}0"):
            self.assertEqual(self.shown(f"text={wrong}"), "None", wrong)
        for kind in OTHERS:
            self.assertEqual(self.shown(f"text={text}&as={kind}"), "None", kind)

    def test_cookie(self) -> None:
        cookie, *attributes = self.issue().headers["Set-Cookie"].split("; ")
        self.assertTrue(cookie.startswith("sample_ticket="))
        self.assertEqual(sorted(attributes), ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"])
        self.assertEqual(self.shown(cookie=cookie), str(Ticket("window")))
        self.assertEqual(self.shown(cookie=cookie + "x"), "None")
        self.assertEqual(self.shown(), "None")
        cleared = self.issue("").headers["Set-Cookie"]
        self.assertTrue(cleared.startswith('sample_ticket="";'), cleared)
