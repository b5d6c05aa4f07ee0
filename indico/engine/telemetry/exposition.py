"""The page that `/metrics` answers: the metrics of all processes, in Prometheus's formats."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .metrics import REGISTRY
from .processes import shared_registry
from .sampling import sample_process

_OPENMETRICS = "application/openmetrics-text"
_ACCEPTED = {False: "", True: f"{_OPENMETRICS}; version=1.0.0"}


class Format(NamedTuple):
    """A format of the page; a client can't choose its details, so that there are few pages."""

    openmetrics: bool
    gzip: bool

    @property
    def headers(self) -> dict[str, str]:
        _, kind = choose_encoder(_ACCEPTED[self.openmetrics])
        encoding = {"Content-Encoding": "gzip"} if self.gzip else {}
        return {"Content-Type": kind, "Vary": "Accept, Accept-Encoding", **encoding}


def choose(accept: str, accept_encoding: str) -> Format:
    """Return the format for a client that sends these headers."""
    try:
        _, kind = choose_encoder(accept)
    except (TypeError, ValueError):  # the version in `accept` is malformed
        kind = ""
    return Format(kind.startswith(_OPENMETRICS), gzip_accepted(accept_encoding))


def page(prefix: str, wanted: Format) -> bytes:
    """Return all metrics. Each metric's name begins with `prefix`."""
    sample_process()
    encode, _ = choose_encoder(_ACCEPTED[wanted.openmetrics])
    with shared_registry(REGISTRY) as registry:
        text = encode(_Prefixed(registry, prefix))
    return gzip.compress(text, 1) if wanted.gzip else text


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
