"""`Scraped`: what a server's `/metrics` answers, as numbers."""

from __future__ import annotations

import re
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


class Scraped:
    """The samples of one answer, by name and labels.

    Only the samples of a name that is asked for are read: a page has thousands of them.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: dict[str, list[Sample]] = {}

    def samples(self, name: str) -> list[Sample]:
        if name not in self._samples:
            lines = re.findall(rf"^{re.escape(name)}[{{ ].*\n", self.text, re.M)
            self._samples[name] = samples("".join(lines))
        return self._samples[name]

    def values(self, name: str, **labels: str) -> list[float]:
        wanted = labels.items()
        return [each.value for each in self.samples(name) if wanted <= each.labels.items()]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all samples with this name that have these labels, among others."""
        return sum(self.values(name, **labels))

    def labels(self, name: str) -> list[dict[str, str]]:
        return [sample.labels for sample in self.samples(name)]


def samples(text: str) -> list[Sample]:
    """Return all samples of a page, or of some of its lines."""
    return [each for family in text_string_to_metric_families(text) for each in family.samples]


def scrape(port: int) -> Scraped:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
        return Scraped(response.read().decode())
