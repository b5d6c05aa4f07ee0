"""`/dashboard`: the account, its sessions and its address book."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import indico.db.session_db as SessionDB
from indico.db import mongodb
from indico.tests.web.page_test import PageTest


class DashboardTest(PageTest):
    def test_valid(self) -> None:
        self.enter()
        text = self.page(self.visit("/dashboard?done=nosuch"))
        self.assertIn("From 127.0.0.1 this session", text)
        self.assertNotIn("End all other sessions", text)


class SessionsTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()
        self.token = self.login()["token"]

    def others(self) -> list[str]:
        """Return the ids of the sessions that the page offers to end."""
        return re.findall(r'name="session" value="(\w+)"', self.visit("/dashboard").body.decode())

    def test_one(self) -> None:
        (session_id,) = self.others()
        answer = self.send("/dashboard/sessions", session=session_id)
        self.leads_to(answer, "/dashboard?done=session")
        self.error(self.post("/user/get", token=self.token), 401, "unauthenticated")
        self.assertEqual(self.others(), [])

    def test_all_others(self) -> None:
        self.login()
        self.leads_to(self.send("/dashboard/sessions", others="yes"), "/dashboard?done=sessions")
        self.error(self.post("/user/get", token=self.token), 401, "unauthenticated")
        self.assertEqual(len(self.stored("sessions")), 1)

    def test_of_another_user(self) -> None:
        token = self.register("b@example.com")["token"]
        (session,) = [s for s in self.stored("sessions") if s["_id"] == SessionDB._digest(token)]
        self.send("/dashboard/sessions", session=session["_id"].hex())
        self.data(self.post("/user/get", token=token))

    def test_wrong(self) -> None:
        self.page(self.send("/dashboard/sessions", session="xyz"), 400)
        self.assertEqual(self.visit("/dashboard/sessions").code, 405)

    def test_from_before_addresses_were_stored(self) -> None:
        update = {"$unset": {"address": 1, "last_used_at": 1}}
        self.run_async(mongodb["sessions"].update_many({}, update))
        self.assertIn("From an unknown address", self.page(self.visit("/dashboard")))


class LastUseTest(PageTest):
    def used(self, ago: timedelta) -> datetime:
        """Return when the session was used last, after a call with one that was used then."""
        token = self.register()["token"]
        time = datetime.now(UTC) - ago
        self.run_async(mongodb["sessions"].update_many({}, {"$set": {"last_used_at": time}}))
        self.data(self.post("/user/get", token=token))
        return time

    def stored_time(self) -> datetime:
        (session,) = self.stored("sessions")
        found: datetime = session["last_used_at"]
        return found

    def test_anew(self) -> None:
        before = self.used(SessionDB.USED_ANEW + timedelta(seconds=1))
        while abs(self.stored_time() - before) < timedelta(seconds=1):
            pass
        self.assertLess(datetime.now(UTC) - self.stored_time(), timedelta(minutes=1))

    def test_not_in_each_call(self) -> None:
        before = self.used(timedelta(minutes=1))
        self.assertLess(abs(self.stored_time() - before), timedelta(seconds=1))
