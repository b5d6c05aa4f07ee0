"""The part of PromQL that our dashboard is written in, over scrapes that are kept in memory."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
NOTHING: Labels = frozenset()

_TOKEN = re.compile(r'"[^"]*"|\$?\w[\w.]*|=~|[(){}\[\],=/-]')


@dataclass
class Scrape:
    """What `/metrics` answered at `seconds`."""

    seconds: float
    samples: dict[str, Vector]

    @staticmethod
    def of(seconds: float, text: str, **added: str) -> Scrape:
        """`added` are the labels that Prometheus adds to each sample."""
        samples: dict[str, Vector] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset((sample.labels | added).items())
                samples[sample.name][labels] = sample.value
        return Scrape(seconds, dict(samples))


# The value of a query at the last of some scrapes; the others are those of its window.
Query = Callable[[list[Scrape]], Vector]


def parse(text: str) -> Query:
    """Raises `ValueError` for what is beyond the part that we know."""
    reader = _Reader(_TOKEN.findall(text))
    query = reader.expression()
    if reader.tokens:
        raise ValueError(f"{text}: {' '.join(reader.tokens)} is not understood")
    return query


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def take(self, *expected: str) -> str:
        token = self.tokens.pop(0) if self.tokens else "the end"
        if expected and token not in expected:
            raise ValueError(f"{token} where one of {expected} is expected")
        return token

    def next_is(self, token: str) -> bool:
        return self.tokens[:1] == [token]

    def expression(self) -> Query:
        left = self.term()
        while self.tokens and self.tokens[0] in ("/", "-"):
            operator = self.take()
            left = _combined(operator, left, self.term())
        return left

    def term(self) -> Query:
        name = self.take()
        if name == "histogram_quantile":
            self.take("(")
            share = float(self.take())
            self.take(",")
            return _quantile(share, self.closed())
        if name in ("sum", "max"):
            by = self.names() if self.next_is("by") else []
            self.take("(")
            return _aggregated(sum if name == "sum" else max, by, self.closed())
        if name == "rate":
            self.take("(")
            return _rate(self.closed())
        if name == "time":
            self.take("(")
            self.take(")")
            return lambda scrapes: {NOTHING: scrapes[-1].seconds}
        return self.selector(name)

    def closed(self) -> Query:
        inner = self.expression()
        self.take(")")
        return inner

    def names(self) -> list[str]:
        self.take("by")
        self.take("(")
        names = [self.take()]
        while self.take(",", ")") == ",":
            names.append(self.take())
        return names

    def selector(self, name: str) -> Query:
        matchers = []
        if self.next_is("{"):
            self.take("{")
            while not self.next_is("}"):
                label, operator, value = self.take(), self.take("=", "=~"), self.take().strip('"')
                if value.startswith("$"):  # a variable of the dashboard's
                    value = ".*"
                elif operator == "=":
                    value = re.escape(value)
                matchers.append((label, re.compile(value)))
                if self.next_is(","):
                    self.take(",")
            self.take("}")
        if self.next_is("["):  # the window is whatever scrapes there are
            self.tokens = self.tokens[self.tokens.index("]") + 1 :]
        return lambda scrapes: {
            labels: value
            for labels, value in scrapes[-1].samples.get(name, {}).items()
            if all(pattern.fullmatch(dict(labels).get(label, "")) for label, pattern in matchers)
        }


def _combined(operator: str, left: Query, right: Query) -> Query:
    def combined(scrapes: list[Scrape]) -> Vector:
        ours, theirs = left(scrapes), right(scrapes)
        if operator == "-":  # of `time()` and each of a vector
            return {labels: ours[NOTHING] - value for labels, value in theirs.items()}
        return {
            labels: value / theirs[labels] for labels, value in ours.items() if theirs.get(labels)
        }

    return combined


def _aggregated(how: Callable[[list[float]], float], by: list[str], inner: Query) -> Query:
    def aggregated(scrapes: list[Scrape]) -> Vector:
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in inner(scrapes).items():
            groups[frozenset(pair for pair in labels if pair[0] in by)].append(value)
        return {labels: how(values) for labels, values in groups.items()}

    return aggregated


def _rate(inner: Query) -> Query:
    """A second, over the window; what was not there at its beginning counts from 0."""

    def rate(scrapes: list[Scrape]) -> Vector:
        seconds = scrapes[-1].seconds - scrapes[0].seconds
        before = inner(scrapes[:1])
        return {
            labels: (value - before.get(labels, 0)) / seconds
            for labels, value in inner(scrapes).items()
        }

    return rate


def _quantile(share: float, inner: Query) -> Query:
    def quantile(scrapes: list[Scrape]) -> Vector:
        groups: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
        for labels, value in inner(scrapes).items():
            bound = float(dict(labels)["le"])
            groups[frozenset(pair for pair in labels if pair[0] != "le")].append((bound, value))
        found = {labels: _within(share, sorted(buckets)) for labels, buckets in groups.items()}
        return {labels: value for labels, value in found.items() if not math.isnan(value)}

    return quantile


def _within(share: float, buckets: list[tuple[float, float]]) -> float:
    """Prometheus's estimate: values lie evenly in a bucket; beyond the last, at its bound."""
    bounds, counts = zip(*buckets, strict=True)
    if not counts[-1]:
        return math.nan
    rank = share * counts[-1]
    at = min(bisect_left(counts, rank), len(counts) - 1)
    if math.isinf(bounds[at]):
        return float(bounds[at - 1])
    low, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return float(low + (bounds[at] - low) * (rank - below) / (counts[at] - below))
