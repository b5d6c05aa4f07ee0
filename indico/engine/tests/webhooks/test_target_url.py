from __future__ import annotations

from unittest import TestCase
from unittest.mock import patch

from pydantic import TypeAdapter, ValidationError

from ...error import WrongFieldType
from ...webhooks.options import Options
from ...webhooks.target_url import Url, checked

URL = "https://receiver.example/events"
WRONG_URLS = (
    *("", "receiver.example", "ftp://receiver.example/", "https://", "https://a b/", "data:a"),
    *("https://ada@receiver.example/", "https://ada:secret@receiver.example/", f"{URL}#here"),
    "https://receiver.example:99999/",
)
PRIVATE_URLS = (
    *("http://receiver.example/", "http://localhost/", "https://127.0.0.1/", "https://127.1/"),
    *("https://2130706433/", "https://0x7f.0.0.1/", "https://0177.0.0.1:8443/", "https://[::1]/"),
    *("https://169.254.169.254/latest", "https://10.0.0.1/", "https://[::ffff:127.0.0.1]/"),
    *("https://[fe80::1]/", "https://0.0.0.0/", "https://[64:ff9b::7f00:1]/", "https://100.64.0.1"),
)


class UrlTest(TestCase):
    def use(self, private: bool) -> None:
        self.enterContext(patch.object(Options, "private", private, create=True))

    def test_valid(self) -> None:
        self.use(private=False)
        for url in (URL, "https://8.8.8.8:8443/a?b=c"):
            self.assertEqual(checked(url), url)
        self.assertEqual(checked("HTTPS://Receiver.Example"), "https://receiver.example/")

    def test_wrong(self) -> None:
        for private in (True, False):
            self.use(private)
            for url in WRONG_URLS:
                with self.subTest(url=url), self.assertRaises(WrongFieldType) as raised:
                    checked(url)
                self.assertEqual([each["path"] for each in raised.exception.details], ["url"])

    def test_private(self) -> None:
        self.use(private=False)
        for url in PRIVATE_URLS:
            with self.subTest(url=url), self.assertRaises(WrongFieldType):
                checked(url)
        self.use(private=True)
        for url in PRIVATE_URLS:
            self.assertTrue(checked(url))

    def test_no_text_or_too_long(self) -> None:
        for value in (f"https://receiver.example/{'a' * 1000}", 5, ["a"]):
            with self.assertRaises(ValidationError):
                TypeAdapter(Url).validate_python(value, strict=True)
