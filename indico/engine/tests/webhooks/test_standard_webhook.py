"""Attempts at events, against a real server on loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import IsolatedAsyncioTestCase, TestCase

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ...mongo.clock import now
from ...webhooks.standard_webhook import (
    PAUSES,
    Outcome,
    new_secret,
    refused,
    send,
    signature_headers,
)
from ..http.receiver import Receiver, answer

BODY = '{"type":"note.created"}'


class SignatureTest(TestCase):
    def setUp(self) -> None:
        self.secret = new_secret()
        self.headers = signature_headers(self.secret, "msg_1", BODY, now())

    def test_valid(self) -> None:
        self.assertRegex(self.secret, r"^whsec_[A-Za-z0-9+/]{43}=$")
        self.assertEqual(Webhook(self.secret).verify(BODY, self.headers)["type"], "note.created")

    def test_a_known_signature(self) -> None:
        """Other libraries of the standard test themselves with these values."""
        headers = signature_headers(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            '{"test": 2432232314}',
            datetime.fromtimestamp(1614265330, UTC),
        )
        signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        self.assertEqual(headers["webhook-signature"], signature)
        self.assertEqual(headers["webhook-timestamp"], "1614265330")

    def test_something_else(self) -> None:
        later = str(int(self.headers["webhook-timestamp"]) + 1)
        for secret, body, headers in (
            (new_secret(), BODY, self.headers),
            (self.secret, BODY + " ", self.headers),
            (self.secret, BODY, {**self.headers, "webhook-id": "msg_2"}),
            (self.secret, BODY, {**self.headers, "webhook-timestamp": later}),
        ):
            with self.assertRaises(WebhookVerificationError):
                Webhook(secret).verify(body, headers)


class SendTest(IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.secret = new_secret()
        self.receiver = Receiver()
        await self.receiver.start()
        self.addAsyncCleanup(self.receiver.close)

    async def send(self, url: str = "", private: bool = True) -> Outcome:
        return await send(url or self.receiver.url, self.secret, "msg_1", BODY, private)

    async def test_valid(self) -> None:
        self.receiver.answer = answer(200, b"thanks")
        outcome = await self.send()
        self.assertTrue(outcome.succeeded)
        attempt = outcome.attempt
        self.assertEqual((attempt["status"], attempt["error"]), (200, None))
        self.assertEqual(attempt["answer"], "thanks")
        self.assertGreaterEqual(attempt["milliseconds"], 0)
        request = await self.receiver.next()
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertEqual(request.headers["webhook-id"], "msg_1")
        Webhook(self.secret).verify(request.body, request.headers)

    async def test_an_answer_that_is_no_text(self) -> None:
        self.receiver.answer = answer(200, b"\xff\x00" * 5000)
        self.assertEqual((await self.send()).attempt["answer"], "\ufffd\x00" * 250)

    async def test_errors(self) -> None:
        for status in (199, 302, 400, 410, 500):
            self.receiver.answer = answer(status)
            outcome = await self.send()
            self.assertEqual((outcome.succeeded, outcome.is_gone), (False, status == 410), status)

    async def test_no_answer(self) -> None:
        self.receiver.answer = []
        outcome = await self.send()
        self.assertFalse(outcome.succeeded)
        self.assertIsNone(outcome.attempt["status"])
        self.assertIn("closed", str(outcome.attempt["error"]))

    async def test_retry_after(self) -> None:
        for status, value, seconds in (
            (429, "5000", 5000),
            (503, "99999999", PAUSES[-1]),
            (503, "9" * 5000, PAUSES[-1]),  # `int` refuses more than 4,300 digits
            (502, "0", 0),
            (429, "-5000", 0),
            (504, "Mon, 30 Nov 2026 12:00:00 GMT", 0),
            (500, "5000", 0),
        ):
            self.receiver.answer = answer(status, Retry_After=value)
            self.assertEqual((await self.send()).retry_after, seconds, (status, value))

    async def test_public_only(self) -> None:
        outcome = await self.send(private=False)
        self.assertEqual(outcome.attempt["error"], "its URL does not begin with https://")
        outcome = await self.send(self.receiver.url.replace("http:", "https:"), private=False)
        self.assertEqual(outcome.attempt["error"], "127.0.0.1 has no public address")
        self.assertTrue(self.receiver.requests.empty())


class PauseTest(TestCase):
    def test_over_a_day(self) -> None:
        self.assertEqual(list(PAUSES), sorted(PAUSES))
        self.assertGreater(timedelta(seconds=sum(PAUSES)), timedelta(days=1))

    def test_each(self) -> None:
        outcome = refused("no")
        for attempts, least in enumerate(PAUSES, 1):
            pause = outcome.pause(attempts)
            assert pause
            self.assertTrue(least <= pause <= 1.2 * least, pause)
        self.assertIsNone(outcome.pause(len(PAUSES) + 1))

    def test_retry_after(self) -> None:
        attempt = refused("no").attempt
        self.assertEqual(Outcome(attempt, 5000).pause(1), 5000)
        later = Outcome(attempt, 1).pause(1)
        assert later
        self.assertGreaterEqual(later, PAUSES[0])

    def test_gone(self) -> None:
        attempt = {**refused("no").attempt, "status": 410}
        self.assertIsNone(Outcome(attempt).pause(1))  # type: ignore[arg-type]
