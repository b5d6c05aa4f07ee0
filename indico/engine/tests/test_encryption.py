from __future__ import annotations

from unittest import TestCase

from pydantic import SecretStr

from ..encryption import Encryption, UnknownKey

OLD, NEW = SecretStr("an old secret key"), SecretStr("a new secret key")


class EncryptionTest(TestCase):
    def setUp(self) -> None:
        self.encryption = Encryption("secrets", OLD, [])
        self.stored = self.encryption.encrypt(b"a value", b"1")

    def test_valid(self) -> None:
        self.assertEqual(self.encryption.decrypt(self.stored, b"1"), b"a value")
        self.assertNotIn(b"a value", self.stored)
        self.assertNotEqual(self.encryption.encrypt(b"a value", b"1"), self.stored)

    def test_an_old_key(self) -> None:
        encryption = Encryption("secrets", NEW, [OLD])
        self.assertEqual(encryption.decrypt(self.stored, b"1"), b"a value")

    def test_renewal(self) -> None:
        """A value that is encrypted anew needs no old key any more."""
        self.assertIsNone(self.encryption.renewed(self.stored, b"1"))
        renewed = Encryption("secrets", NEW, [OLD]).renewed(self.stored, b"1")
        assert renewed
        self.assertEqual(Encryption("secrets", NEW, []).decrypt(renewed, b"1"), b"a value")

    def test_something_else(self) -> None:
        for encryption, place in (
            (Encryption("secrets", NEW, []), b"1"),
            (Encryption("other secrets", OLD, []), b"1"),
            (self.encryption, b"2"),
        ):
            with self.assertRaises(UnknownKey):
                encryption.decrypt(self.stored, place)
            with self.assertRaises(UnknownKey):
                encryption.renewed(self.stored, place)
