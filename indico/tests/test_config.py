"""Your settings: each is a flag, an environment variable and a line of a file."""

from __future__ import annotations

from unittest import TestCase

from indico.config import Settings
from indico.engine.settings import env_name, load

PRODUCTION = [
    *("--environment", "production", "--mongodb-uri", "mongodb://db.example.com/"),
    *("--secret-key", "a secret of our own"),
]


class SettingsTest(TestCase):
    def test_names(self) -> None:
        self.assertEqual(env_name(Settings, "session_ttl_seconds"), "INDICO_SESSION_TTL_SECONDS")
        self.assertEqual(Settings().service_name, "indico")

    def test_public_address_book(self) -> None:
        self.assertTrue(load(Settings, []).serves_public_address_book)
        self.assertFalse(load(Settings, ["--no-public-address-book"]).serves_public_address_book)
        self.assertFalse(load(Settings, PRODUCTION).serves_public_address_book)
        chosen = load(Settings, [*PRODUCTION, "--public-address-book"])
        self.assertTrue(chosen.serves_public_address_book)
