from __future__ import annotations

from datetime import UTC, datetime
from unittest import TestCase

from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from indico.db import ObjectId, now
from indico.service import webhook_secrets
from indico.service.webhook_secrets import UnknownKey

OLD, NEW = SecretStr("an old secret key"), SecretStr("a new secret key")


class EncryptionTest(TestCase):
    def setUp(self) -> None:
        self.secret, self.webhook_id = webhook_secrets.new_secret(), ObjectId()
        webhook_secrets.use_keys(OLD, [])
        self.stored = webhook_secrets.encrypt(self.secret, self.webhook_id)

    def test_valid(self) -> None:
        self.assertEqual(webhook_secrets.decrypt(self.stored, self.webhook_id), self.secret)
        self.assertNotIn(self.secret.encode(), self.stored)
        self.assertNotEqual(webhook_secrets.encrypt(self.secret, self.webhook_id), self.stored)

    def test_an_old_key(self) -> None:
        webhook_secrets.use_keys(NEW, [OLD])
        self.assertEqual(webhook_secrets.decrypt(self.stored, self.webhook_id), self.secret)

    def test_a_lost_key(self) -> None:
        webhook_secrets.use_keys(NEW, [])
        with self.assertRaises(UnknownKey):
            webhook_secrets.decrypt(self.stored, self.webhook_id)

    def test_another_webhook(self) -> None:
        with self.assertRaises(UnknownKey):
            webhook_secrets.decrypt(self.stored, ObjectId())


class SignatureTest(TestCase):
    def setUp(self) -> None:
        self.secret = webhook_secrets.new_secret()
        self.headers = webhook_secrets.signature_headers(self.secret, "msg_1", '{"a": 1}', now())

    def test_valid(self) -> None:
        self.assertEqual(Webhook(self.secret).verify('{"a": 1}', self.headers), {"a": 1})

    def test_the_example_of_the_standard(self) -> None:
        """The values are those of the specification's own tests of signatures."""
        time = datetime.fromtimestamp(1614265330, UTC)
        headers = webhook_secrets.signature_headers(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            '{"test": 2432232314}',
            time,
        )
        signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        self.assertEqual(headers["webhook-signature"], signature)
        self.assertEqual(headers["webhook-timestamp"], "1614265330")

    def test_something_else(self) -> None:
        for body, headers in (
            ('{"a": 2}', self.headers),
            ('{"a": 1}', {**self.headers, "webhook-id": "msg_2"}),
            ('{"a": 1}', {**self.headers, "webhook-timestamp": str(int(now().timestamp()) + 9)}),
        ):
            with self.assertRaises(WebhookVerificationError):
                Webhook(self.secret).verify(body, headers)
        with self.assertRaises(WebhookVerificationError):
            Webhook(webhook_secrets.new_secret()).verify('{"a": 1}', self.headers)
