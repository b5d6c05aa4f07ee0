from __future__ import annotations

from unittest.mock import patch

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from ..error import Overloaded
from ..password_hashing import PasswordHashing
from .async_test import AsyncTest

MAX_LENGTH = 20
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHING = PasswordHashing(CHEAP, MAX_LENGTH, "Too many people.")
COMPOSED, DECOMPOSED = "r\u00e9sum\u00e9s!", "re\u0301sume\u0301s!"


class PasswordHashingTest(AsyncTest):
    async def test_valid(self) -> None:
        made = await HASHING.hash("correct horse")
        self.assertNotIn("correct", made)
        self.assertNotEqual(await HASHING.hash("correct horse"), made)
        self.assertTrue(await HASHING.verify(made, "correct horse"))
        self.assertFalse(await HASHING.verify(made, "wrong horse"))

    async def test_any_spelling(self) -> None:
        for password in (COMPOSED, DECOMPOSED):
            made = await HASHING.hash(password)
            for typed in (COMPOSED, DECOMPOSED):
                self.assertTrue(await HASHING.verify(made, typed), (password, typed))

    async def test_a_hash_of_a_password_as_it_was_typed(self) -> None:
        self.assertTrue(await HASHING.verify(CHEAP.hash(DECOMPOSED), DECOMPOSED))

    def test_a_long_text_stays(self) -> None:
        self.assertEqual(HASHING.normal(DECOMPOSED * 4), DECOMPOSED * 4)
        self.assertEqual(HASHING.normal(DECOMPOSED), COMPOSED)

    async def test_no_hash(self) -> None:
        """The hash None costs as much as another one."""
        seen, verify = [], PasswordHasher.verify

        def spy(hasher: PasswordHasher, hash: str, password: str) -> bool:
            try:
                return verify(hasher, hash, password)
            except Exception as error:
                seen.append((hash.split("$")[:4], len(hash), type(error)))
                raise

        with patch.object(PasswordHasher, "verify", spy):
            for stored in (None, CHEAP.hash("correct horse")):
                self.assertFalse(await HASHING.verify(stored, "wrong horse"))
        self.assertEqual(len(seen), 2)
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[0][2], VerifyMismatchError)

    async def test_a_text_that_is_no_hash(self) -> None:
        self.assertFalse(await HASHING.verify("x", "correct horse"))

    async def test_other_parameters(self) -> None:
        old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash("correct horse")
        self.assertTrue(HASHING.needs_renewal(old))
        self.assertTrue(await HASHING.verify(old, "correct horse"))
        self.assertFalse(HASHING.needs_renewal(await HASHING.hash("correct horse")))

    async def test_too_many_at_once(self) -> None:
        with patch.object(HASHING.threads, "limit", 0):
            for work in (HASHING.hash("a"), HASHING.verify(None, "a")):
                with self.assertRaisesRegex(Overloaded, "Too many people."):
                    await work
