"""The examples of docs/limits-and-jobs.md on limits, run as they stand there."""

from __future__ import annotations

import json
import re
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.testing import gen_test

from indico import db
from indico.engine.http.application import Application
from indico.engine.tests.limits.bucket_test import pass_time
from indico.service.login_limits import Caller
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest
from indico.tests.test_data import run

PAGE = (ROOT / "docs/limits-and-jobs.md").read_text()


def blocks(section: str, language: str) -> list[str]:
    """Return the examples of a section that are written in `language`."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


class ActionTest(ServerTest):
    covers = False
    section = "A limit of an action"

    def setUp(self) -> None:
        before = len(db.Collection.declared)
        self.names = run(*blocks(self.section, "python"))
        self.addCleanup(db.Collection.declared.__delitem__, slice(before, None))
        super().setUp()

    def make_app(self, settings: Any) -> Application:
        app = super().make_app(settings)
        app.add_handlers(".*", [self.names["InvitationRoute"]])
        return app

    def send(self, email: str) -> HTTPResponse:
        return self.post("/invitation/send", {"email": email}, self.token)

    def test_valid(self) -> None:
        self.token = self.register()["token"]
        for _ in range(2):
            self.data(self.send("bob@example.com"))
        answer = self.send("BOB@example.com")
        self.assertEqual(len(self.stored("invitations")), 2)
        seconds = answer.headers["Retry-After"]
        self.assertTrue(1700 < int(seconds) <= 1800, seconds)
        shown = {
            name: re.sub(rf"\b{seconds}\b", "1800", answer.headers[name])
            for name in ("Retry-After", "RateLimit-Policy", "RateLimit")
        }
        (fields,) = blocks(self.section, "http")
        for name, value in shown.items():
            self.assertIn(f"\n{name}: {value}\n", fields)
        (envelope,) = map(json.loads, blocks(self.section, "json"))
        body = json.loads(answer.body)
        envelope["error"]["request_id"] = body["error"]["request_id"]
        self.assertEqual(json.loads(json.dumps(body).replace(seconds, "1800")), envelope)

    def test_another_limit(self) -> None:
        self.token = self.register()["token"]
        answers = (self.send(f"{n}@example.com") for n in range(50))
        answer = next(each for each in answers if each.code != 200)
        self.error(answer, 429, "rate_limited")
        self.assertGreaterEqual(len(self.stored("invitations")), 10)
        self.assertIn('"Invitation.send by user 10/minute";r=0;t=', answer.headers["RateLimit"])
        self.run_async(pass_time(6))
        self.data(self.send("eve@example.com"))


class OwnTest(ServerTest):
    @gen_test
    async def test_valid(self) -> None:
        (code,) = blocks("Limits of your own", "python")
        names = run(code)
        for _ in range(2):
            self.assertEqual(await names["count_mail"]("example.com"), 999)
            await names["mail_was_refused"]("example.com")


class GrowingTest(ServerTest):
    def test_table(self) -> None:
        """The delays of the page are those of the default."""
        rows = re.findall(r"^\| (?:then.*?|\d+ at once) \| (.*?) \|$", PAGE, re.M)
        caller = Caller("127.0.0.1", self.config.login_limit)
        buckets = [each for each in caller._buckets("ada", []) if "account" in each.policy]
        intervals = [each.rate.interval_ms / 1000 for each in buckets]
        self.assertEqual(intervals, [6, 120, 864])
        delays = ["at once", "after 6 seconds", "after 2 minutes", "after 14.4 minutes"]
        self.assertEqual(rows, delays)
