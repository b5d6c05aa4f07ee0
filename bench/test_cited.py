"""Every measured figure in the documentation names its commit."""

from __future__ import annotations

from unittest import TestCase

from bench import cited
from bench.measurements import MEASUREMENTS

PAGE = """# Speed

The figures on this page were measured
on commit aaaaaaa.

A read takes 200 µs of a processor. ![p99 of 9 servers](p99.svg)

## Others
1. On commit bbbbbbb, calls take 5 KB (`bench held`).
2. It runs with Python 3.11, and `bench limit 5` shows all of them.

```
p99 = 3
```
- The p99 was 3 ms.
"""


class CitedTest(TestCase):
    def test_measurement_and_commit_of_each_paragraph(self) -> None:
        found = [(each.place, each.measurement, each.commit) for each in cited.of_page("a", PAGE)]
        self.assertEqual(
            found,
            [
                ("a:3", "by hand", "aaaaaaa"),
                ("a:6", "by hand", "aaaaaaa"),
                ("a:9", "held", "bbbbbbb"),
                ("a:10", "limit", "aaaaaaa"),
                ("a:15", "limit", "aaaaaaa"),
            ],
        )

    def test_without_a_commit(self) -> None:
        (found,) = cited.of_page("a", "It took 5 µs (`bench held`).")
        self.assertEqual(found.commit, "")

    def test_each_figure_of_the_documentation_has_a_commit(self) -> None:
        found = list(cited.figures())
        self.assertGreater(len(found), 5)
        without = [each.place for each in found if not each.commit]
        self.assertEqual(without, [], "add (measured on commit 1234567)")

    def test_each_measurement_exists(self) -> None:
        known = {*MEASUREMENTS, cited.BY_HAND}
        self.assertEqual({each.measurement for each in cited.figures()} - known, set())
