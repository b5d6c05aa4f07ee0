from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ...jobs import Job
from ...jobs.worker import JobWorker
from ...mongo.clock import now
from ...mongo.driver import mongodb
from ...mongo.turns import turn
from ...webhooks import delivering, standard_webhook, use_webhooks, user_webhooks
from ...webhooks.delivering import FAILING, deliver
from ...webhooks.standard_webhook import PAUSES, Attempt, new_secret
from ..http.receiver import answer
from .webhook_test import WebhookTest

NEW_KEY = SecretStr("another secret key")


class DeliveryTest(WebhookTest):
    def attempts(self) -> list[tuple[int | None, str]]:
        """Return the status and the answer of each attempt of the only delivery."""
        (delivery,) = self.deliveries()
        return [(attempt["status"], attempt["answer"]) for attempt in delivery["attempts"]]

    def reason(self) -> str:
        """Return why the webhook was turned off."""
        note = self.found()["note"]
        assert note
        return note["reason"]

    def status(self) -> str:
        (delivery,) = self.deliveries()
        return delivery["status"]

    def attempt(self) -> Attempt:
        """Return the only attempt of the only delivery."""
        (delivery,) = self.deliveries()
        (attempt,) = delivery["attempts"]
        return attempt

    def left(self) -> float:
        """Return the seconds until the only queued attempt."""
        (job,) = self.stored("jobs")
        due_at: datetime = job["due_at"]
        return (due_at.replace(tzinfo=now().tzinfo) - now()).total_seconds()

    def use(self, **settings: Any) -> None:
        """Take other settings than those of the test."""
        use_webhooks(self.config.model_copy(update=settings))

    def set_stored(self, **fields: Any) -> None:
        """Change the webhook in the database."""
        self.run_async(mongodb.webhooks.update_one({}, {"$set": fields}))


class SuccessTest(DeliveryTest):
    def test_valid(self) -> None:
        self.receiver.answer = answer(200, b"thanks")
        memo_id = self.change()
        self.assertEqual((self.work(), self.work()), (1, 0))
        request = self.next()
        event = self.event(request)
        self.assertEqual(set(event), {"type", "timestamp", "data"})
        self.assertEqual((event["type"], event["data"]), ("memo.created", {"id": str(memo_id)}))
        self.assertRegex(event["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(request.headers["content-type"], "application/json")
        (delivery,) = self.deliveries()
        (attempt,) = delivery["attempts"]
        self.assertEqual((delivery["status"], delivery["next_attempt_at"]), ("delivered", None))
        self.assertEqual(delivery["event"], request.headers["webhook-id"])
        self.assertEqual((attempt["status"], attempt["error"]), (200, None))
        self.assertEqual(attempt["answer"], "thanks")
        self.assertGreaterEqual(attempt["milliseconds"], 0)

    def test_another_secret(self) -> None:
        self.change()
        self.work()
        request = self.next()
        with self.assertRaises(WebhookVerificationError):
            Webhook(new_secret()).verify(request.body, request.headers)

    def test_two_webhooks(self) -> None:
        """Both get the same event, each with a signature of its own."""
        other = self.create(self.receiver.url, "memo.created")
        self.change()
        self.assertEqual(self.work(), 2)
        requests = {request.headers["webhook-signature"]: request for request in self.both()}
        self.assertEqual(len(requests), 2)
        self.assertEqual(len({each.headers["webhook-id"] for each in requests.values()}), 1)
        for secret in (self.webhook["secret"], other["secret"]):
            verified = [each for each in requests.values() if self.is_signed(each, secret)]
            self.assertEqual(len(verified), 1)

    def both(self) -> list[Any]:
        return [self.next(), self.next()]

    def is_signed(self, request: Any, secret: str) -> bool:
        try:
            Webhook(secret).verify(request.body, request.headers)
        except WebhookVerificationError:
            return False
        return True

    def test_a_long_answer_that_is_no_text(self) -> None:
        self.receiver.answer = answer(200, b"\xff\x00" * 5000)
        self.change()
        self.work()
        self.assertEqual(self.attempts(), [(200, "\ufffd\x00" * 250)])


class RetryTest(DeliveryTest):
    def test_until_it_succeeds(self) -> None:
        """Each attempt has the same id and body, and a new time in its signature."""
        self.receiver.answer = answer(500, b"broken")
        self.change()
        self.work()
        self.assertEqual((self.status(), self.attempts()), ("pending", [(500, "broken")]))
        self.assertIsNotNone(self.found()["failing_since"])
        self.receiver.answer = answer(204)
        self.work()
        self.assertEqual(self.attempts(), [(500, "broken"), (204, "")])
        self.assertEqual((self.status(), self.found()["failing_since"]), ("delivered", None))
        first, second = self.next(), self.next()
        self.assertEqual(first.headers["webhook-id"], second.headers["webhook-id"])
        self.assertEqual(self.event(first), self.event(second))

    def test_until_the_last_attempt(self) -> None:
        self.receiver.answer = answer(404)
        self.change()
        for pause in PAUSES:
            self.work()
            wait = self.left()
            self.assertLessEqual(wait, 1.2 * pause)
            self.assertGreater(wait, pause - 60)  # less the time of this test
            self.assertEqual(self.status(), "pending")
        self.assertEqual((self.work(), self.work()), (1, 0))
        self.assertEqual(self.attempts(), [(404, "")] * (len(PAUSES) + 1))
        self.assertEqual(self.status(), "failed")
        self.assertTrue(self.found()["enabled"])  # it has not failed for days

    def test_no_answer(self) -> None:
        self.receiver.answer = []
        self.change()
        self.work()
        attempt = self.attempt()
        self.assertEqual((attempt["status"], attempt["answer"]), (None, ""))
        self.assertIn("closed", str(attempt["error"]))

    def test_a_redirect(self) -> None:
        self.receiver.answer = answer(302, Location=self.receiver.url)
        self.change()
        self.work()
        self.assertEqual(self.attempts(), [(302, "")])
        self.assertEqual(self.receiver.requests.qsize(), 1)

    def test_twice_at_once(self) -> None:
        """Two runs of one job are logged as one attempt, and queue one more."""
        self.receiver.answer = answer(500)
        self.change()
        (job,) = self.stored("jobs")
        self.run_async(mongodb.jobs.delete_many({}))

        async def both() -> None:
            await asyncio.gather(*(deliver(**job["arguments"]) for _ in range(2)))

        self.run_async(both())
        self.assertEqual(self.attempts(), [(500, "")])
        self.left()
        self.run_async(deliver(**job["arguments"]))  # a late run
        self.assertEqual(self.attempts(), [(500, "")])
        self.left()

    def test_twice_with_success(self) -> None:
        self.change()
        (job,) = self.stored("jobs")

        async def both() -> None:
            await asyncio.gather(*(deliver(**job["arguments"]) for _ in range(2)))

        self.run_async(both())
        self.assertEqual((self.status(), self.attempts()), ("delivered", [(204, "")]))

    def test_a_busy_receiver(self) -> None:
        """A slow receiver keeps no worker from other jobs: the attempt comes later."""
        self.change()
        self.run_async(self.work_without_turns())
        self.assertLessEqual(self.left(), 30)
        self.assertEqual((self.status(), self.attempts()), ("pending", []))
        self.work()
        self.assertEqual(self.status(), "delivered")

    async def work_without_turns(self) -> None:
        """Run the jobs while three requests to the webhook take their time."""
        key = "webhook", self.webhook["id"]
        with patch.object(mongodb, "timeout_seconds", 3600):
            async with turn(key, 3), turn(key, 3), turn(key, 3):
                await self.work_now()


class TurnedOffTest(DeliveryTest):
    def test_gone(self) -> None:
        self.receiver.answer = answer(410)
        self.change()
        self.change("B")
        self.assertEqual((self.work(), self.work()), (2, 0))
        webhook = self.found()
        self.assertFalse(webhook["enabled"])
        self.assertIn("410 Gone", self.reason())
        statuses = [each["status"] for each in self.deliveries()]
        self.assertEqual(statuses, ["failed", "failed"])
        self.assertEqual(self.receiver.requests.qsize(), 1)
        errors = [each["attempts"][0]["error"] for each in self.deliveries()]
        self.assertEqual(set(errors), {None, "The webhook was turned off or deleted."})
        self.change("C")
        self.assertEqual(self.work(), 0)

    def fail_for_good(self, pieces: Sequence[bytes] = tuple(answer(500))) -> None:
        """Let both attempts of a delivery fail."""
        self.receiver.answer = pieces
        self.change()
        with patch.object(standard_webhook, "PAUSES", (0,)):
            self.assertEqual((self.work(), self.work(), self.work()), (1, 1, 0))

    def test_failing_for_days(self) -> None:
        since = now() - FAILING - timedelta(minutes=1)
        self.set_stored(failing_since=since)
        self.fail_for_good()
        webhook = self.found()
        self.assertFalse(webhook["enabled"])
        reason = f"since {since:%Y-%m-%d %H:%M} UTC, the last: status 500."
        self.assertIn(reason, self.reason())

    def test_without_answers_for_days(self) -> None:
        self.set_stored(failing_since=now() - FAILING - timedelta(minutes=1))
        self.fail_for_good([])
        self.assertIn("closed", self.reason())

    def test_failing_for_days_until_the_next_attempt(self) -> None:
        self.set_stored(failing_since=now() - FAILING - timedelta(minutes=1))
        self.receiver.answer = answer(500)
        self.change()
        self.work()
        self.assertTrue(self.found()["enabled"])

    def test_failing_for_hours(self) -> None:
        self.set_stored(failing_since=now() - FAILING + timedelta(hours=1))
        self.fail_for_good()
        self.assertTrue(self.found()["enabled"])

    def test_on_again(self) -> None:
        """A webhook that is turned on begins anew, without a note."""
        self.set_stored(failing_since=now() - FAILING - timedelta(minutes=1))
        self.fail_for_good()
        webhook_id = self.webhook["id"]
        self.run_async(user_webhooks.update(self.user_id, webhook_id, None, None, True))
        webhook = self.found()
        expected = (True, None, None)
        self.assertEqual((webhook["enabled"], webhook["note"], webhook["failing_since"]), expected)
        self.fail_for_good()
        self.assertTrue(self.found()["enabled"])

    def test_an_old_key(self) -> None:
        """The secret is encrypted anew with the new key, so that the old one can go."""
        self.use(secret_key=NEW_KEY, old_secret_keys=[self.config.secret_key])
        self.change()
        self.work()
        self.event(self.next())
        self.use(secret_key=NEW_KEY)
        self.change()
        self.work()
        self.assertTrue(self.found()["enabled"])
        self.event(self.next())
        (stored,) = self.stored("webhooks")
        self.change()
        self.work()
        self.assertEqual(self.stored("webhooks"), [stored])

    def test_a_lost_key(self) -> None:
        self.use(secret_key=NEW_KEY)
        self.change()
        self.assertEqual((self.work(), self.work()), (1, 0))
        webhook = self.found()
        self.assertFalse(webhook["enabled"])
        self.assertIn("lost with a key", self.reason())
        self.assertEqual(self.status(), "failed")

    def test_deleted_while_it_is_sent(self) -> None:
        """Nothing of a deleted account comes back."""
        real = delivering._send

        async def send_late(*arguments: Any) -> Any:
            outcome = await real(*arguments)
            for name in ("webhooks", "deliveries"):
                await mongodb[name].delete_many({})
            return outcome

        for status in (200, 410, 500):
            with self.subTest(status=status), patch.object(delivering, "_send", send_late):
                self.receiver.answer = answer(status)
                self.webhook = self.create(self.receiver.url, "memo.created")
                self.change()
                self.work()
                self.assertEqual((self.stored("webhooks"), self.stored("deliveries")), ([], []))
                self.assertEqual(self.stored("jobs"), [])


class PublicTest(DeliveryTest):
    """Deliveries of a server whose settings allow public addresses only."""

    def setUp(self) -> None:
        super().setUp()
        self.use(webhooks_private_addresses=False)

    def refusal(self) -> Any:
        """Return why the only delivery was not sent."""
        self.change()
        self.work()
        self.assertTrue(self.receiver.requests.empty())
        return self.attempt()["error"]

    def test_a_name_of_this_machine(self) -> None:
        self.set_stored(url=f"https://localhost:{self.receiver.address[1]}/")
        self.assertEqual(self.refusal(), "localhost has no public address")

    def test_a_url_of_development(self) -> None:
        self.assertEqual(self.refusal(), "its URL does not begin with https://")


class LogTest(DeliveryTest):
    def test_it_ends_after_the_last_attempt(self) -> None:
        """A receiver can't ask to be left alone until the delivery is deleted."""
        self.receiver.answer = answer(503, Retry_After="9" * 10)
        self.change()
        pauses = 0.0
        for _ in PAUSES:
            self.work()
            pauses += self.left()
        self.work()
        self.assertEqual(self.status(), "failed")
        indexes = self.run_async(mongodb.deliveries.index_information())
        kept = timedelta(seconds=indexes["created_at_1"]["expireAfterSeconds"])
        self.assertGreater(kept, 1.5 * timedelta(seconds=pauses))
        self.assertGreater(kept, 2 * timedelta(seconds=sum(PAUSES)))


class WorkerTest(DeliveryTest):
    def test_valid(self) -> None:
        """A worker makes the first attempt at once, and the next one after its pause."""
        self.receiver.answer = answer(500)
        self.enterContext(patch.dict(Job.declared, {deliver.name: deliver}, clear=True))
        worker = JobWorker(4, 30)
        with patch.object(standard_webhook, "PAUSES", (0.001,)):
            self.run_async(self.start(worker))
            self.change()
            first, second = self.next(), self.next()
            self.run_async(worker.drain(60))
        self.assertEqual(first.headers["webhook-id"], second.headers["webhook-id"])
        self.assertEqual((self.status(), self.attempts()), ("failed", [(500, "")] * 2))

    async def start(self, worker: JobWorker) -> None:
        worker.start()
