"""The settings of the public address book."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from unittest import TestCase

from indico.config import Settings
from indico.engine.settings import load
from indico.tests.server_process import ProcessTest
from indico.tests.server_test import mongodb_uri

PRODUCTION = [
    *("--environment", "production", "--mongodb-uri", "mongodb://db.example.com/"),
    *("--secret-key", "a secret of our own"),
]


class SettingsTest(TestCase):
    def test_public_address_book(self) -> None:
        self.assertTrue(load(Settings, []).serves_public_address_book)
        self.assertFalse(load(Settings, ["--no-public-address-book"]).serves_public_address_book)
        self.assertFalse(load(Settings, PRODUCTION).serves_public_address_book)
        chosen = load(Settings, [*PRODUCTION, "--public-address-book"])
        self.assertTrue(chosen.serves_public_address_book)


class FileTest(ProcessTest):
    """The server of the tutorial."""

    def test_the_settings_file(self) -> None:
        flags = ("--config", "configs/addressbook-local.yaml", "--debug")
        server = self.serve(
            *flags, "--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_local"
        )
        self.assertIn("Address Book listens on", server.printed())
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/addresses", b"{")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        with raised.exception as answer:
            body = json.load(answer)
        self.assertEqual((body["code"], body["message"]), (400, "Invalid JSON body"))
        self.assertTrue(body["trace"][0].startswith("Traceback"))
        self.assertEqual(server.stop(), 0)
