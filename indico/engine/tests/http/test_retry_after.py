"""`Retry-After` while refusals are many, and while they are few again."""

from __future__ import annotations

from unittest import TestCase

from ...http.retry_after import LONGEST, RetryAfter


class RetryAfterTest(TestCase):
    def setUp(self) -> None:
        self.retry_after = RetryAfter()
        self.now = 1000.0
        self.admitted = 0
        self.after_second(1, 0)

    def after_second(self, refused: int, admitted: int) -> int:
        """Return the seconds after one in which so many requests were refused and admitted."""
        self.now += 1.0
        self.admitted += admitted
        self.retry_after.count(refused, self.admitted, self.now)
        return self.retry_after.seconds

    def test_many_refusals(self) -> None:
        self.after_second(0, 100)
        self.assertEqual([self.after_second(100, 100) for _ in range(4)], [2, 4, LONGEST, LONGEST])

    def test_few_refusals(self) -> None:
        for _ in range(2):
            self.after_second(100, 100)
        self.assertEqual([self.after_second(20, 100) for _ in range(3)], [2, 1, 1])

    def test_refusals_in_between_change_nothing(self) -> None:
        self.after_second(100, 100)
        self.assertEqual([self.after_second(50, 100) for _ in range(2)], [2, 2])

    def test_less_than_a_second(self) -> None:
        self.retry_after.count(100, self.admitted, self.now + 0.5)
        self.assertEqual(self.retry_after.seconds, 1)

    def test_a_pause(self) -> None:
        self.after_second(100, 100)
        self.now += 5
        self.assertEqual(self.after_second(100, 100), 1)
