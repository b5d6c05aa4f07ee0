"""The page that `/metrics` answers: the metrics of all processes, in Prometheus's formats."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .metrics import REGISTRY
from .processes import shared_registry
from .sampling import sample_process


def page(prefix: str, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return all metrics in the format that `accept` asks for, and the headers of the answer.

    Each metric's name begins with `prefix`.
    """
    sample_process()
    try:
        encode, kind = choose_encoder(accept)
    except (TypeError, ValueError):  # the version in `accept` is malformed
        encode, kind = choose_encoder("")
    with shared_registry(REGISTRY) as registry:
        text = encode(_Prefixed(registry, prefix))
    headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
    if gzip_accepted(accept_encoding):
        return gzip.compress(text, 1), headers | {"Content-Encoding": "gzip"}
    return text, headers


class _Prefixed(Collector):
    """The metrics of a registry, each name with a prefix."""

    def __init__(self, registry: Collector, prefix: str) -> None:
        self._registry = registry
        self._prefix = prefix

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            prefixed = Metric(self._prefix + metric.name, metric.documentation, metric.type)
            prefixed.samples = [s._replace(name=self._prefix + s.name) for s in metric.samples]
            yield prefixed
