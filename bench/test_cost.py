"""The table of `bench cost`."""

from __future__ import annotations

from unittest import TestCase

from bench import cost
from bench.load import Load, Used
from bench.results import Results


class TableTest(TestCase):
    def test_medians_and_lowest(self) -> None:
        made = Results({"rounds": "3"}, {"indico": "", "indico at 1234567": ""})
        for name, seconds in (("indico", (0.2, 0.1, 0.4)), ("indico at 1234567", (0.4, 0.3, 0.2))):
            for used in seconds:
                seen = Load(1000, 1.0, 1.0, 1.0, {})
                made.add(name, ("read", 8), seen, Used(used, 0.1, used))
        made.add("indico", ("echo", 1), Load(1000, 1.0, 1.0, 1.0, {}), Used(0, 0, 0))
        page = cost.markdown(made, "indico at 1234567")
        cells = [cell.strip() for cell in page.splitlines()[2].split("|")[1:-1]]
        self.assertEqual(cells[2:], ["200.0 (100.0)", "300.0 (200.0)", "0.667", "0.500", "1.000"])
        self.assertIn("| echo     |           1 | -", page)

    def test_a_cell_without_processor_time(self) -> None:
        made = Results({}, {"indico": "", "other": ""})
        for name in made.versions:
            made.add(name, ("echo", 1), Load(1, 1.0, 1.0, 1.0, {}), Used(0, 0, 0))
        row = cost.markdown(made, "other").splitlines()[2].split("|")
        self.assertEqual(
            [cell.strip() for cell in row[3:8]], ["0.0 (0.0)"] * 2 + ["-"] * 2 + ["1.000"]
        )
