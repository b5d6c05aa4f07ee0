"""The results of `bench overload`: figures, page and picture."""

from __future__ import annotations

from unittest import TestCase

from bench import chart, overload_report
from bench.overload_report import BOUND, NO_BOUND, Overload, Step


class OverloadTest(TestCase):
    def setUp(self) -> None:
        def step(offered: int, accepted: float, refused: float, errors: int = 0) -> Step:
            took = (0.2, 0.3) if refused else (0.01, 0.02)
            late = 0.001 if refused else None
            used = (0.9, 0.1, 0.1, 0.0)
            return Step(offered, accepted, refused, errors, *took, late, late, *used)

        bounded = [step(500, 500, 0), step(1000, 990, 10), step(2000, 950, 1050)]
        unbounded = [step(500, 500, 0), step(1000, 980, 0), step(2000, 700, 0, errors=1)]
        self.made = Overload({"date": "2026"}, {"read": {BOUND: bounded, NO_BOUND: unbounded}})
        worse = step(2000, 800, 1200)
        again = (bounded[1], bounded[2], bounded[1], worse, worse)
        bad = (bounded[1], *[worse] * 4)
        self.made.rounds["read"] = [again, again, bad]
        self.made.held["read"] = 999, 1000
        self.made.delays["0.05"] = bounded[-1]
        self.made.refusal_seconds = 50e-6

    def test_figures(self) -> None:
        self.assertEqual(self.made.capacity("read"), 990)
        self.assertEqual(self.made.at_best("read").offered, 1000)
        self.assertEqual(self.made.errors(), 1)

    def test_page(self) -> None:
        page = overload_report.markdown(self.made)
        self.assertIn("Of 1,000 calls that waited beside twice the capacity, 999 were", page)
        self.assertRegex(page, r"twice +\| +2,000 \| +950 \| +96% \(81% to 96%\) +\| +300 ")
        self.assertIn("10, 20 | -, -", page)

    def test_page_of_a_server_that_answers_nothing(self) -> None:
        nothing = Step(500, 0, 0, 0, None, None, None, None, 0.9, 0.1, 0.1, 0.0)
        self.made.steps["read"][BOUND] = [nothing]
        self.made.rounds["read"] = [(nothing,) * 5]
        self.assertIn("0% (0% to 0%)", overload_report.markdown(self.made))

    def test_points(self) -> None:
        steps = self.made.as_json()["steps"]
        lines = chart.points(steps, lambda step, capacity: step["accepted"] / capacity)
        self.assertEqual(
            list(lines), ["authenticated read, bounded", "authenticated read, unbounded"]
        )
        self.assertEqual(lines["authenticated read, bounded"][1], (1000 / 990, 1))
        refused = chart.points(steps, lambda step, _: step["refused_p99"])
        self.assertEqual(len(refused["authenticated read, bounded"]), 2)
