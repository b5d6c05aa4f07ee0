"""`Unending`: the answers that the end of the server ends."""

from __future__ import annotations

from unittest import TestCase
from unittest.mock import Mock

from ...error import Overloaded, Unavailable
from ...http.unending import Unending


class UnendingTest(TestCase):
    def test_limit(self) -> None:
        unending, answers = Unending(2), [Mock(), Mock()]
        for answer in answers:
            unending.refuse_too_many()
            unending.add(answer)
        with self.assertRaises(Overloaded):
            unending.refuse_too_many()
        unending.discard(answers[0])
        unending.refuse_too_many()

    def test_leave(self) -> None:
        unending, answer = Unending(2), Mock()
        unending.add(answer)
        answer.leave_soon.side_effect = lambda: unending.discard(answer)
        unending.leave()
        self.assertEqual(len(unending), 0)
        with self.assertRaisesRegex(Unavailable, "stopping"):
            unending.refuse_too_many()
