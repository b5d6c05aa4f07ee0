"""`CORPUS`: what clients and attackers send to a server, with nothing about the right answers."""

from __future__ import annotations

from collections import Counter

from indico.tests.corpus.bodies import BODIES
from indico.tests.corpus.chunks import CHUNKS
from indico.tests.corpus.connections import (
    CONNECTIONS,
    EXPECTATIONS,
    HALVES,
    PIPELINES,
    UPGRADES,
)
from indico.tests.corpus.exchange import Exchange
from indico.tests.corpus.fields import FIELDS, HOSTS
from indico.tests.corpus.lengths import ENCODINGS, LENGTHS
from indico.tests.corpus.request_lines import REQUEST_LINES

_KINDS = [
    LENGTHS,
    ENCODINGS,
    CHUNKS,
    FIELDS,
    HOSTS,
    REQUEST_LINES,
    PIPELINES,
    CONNECTIONS,
    EXPECTATIONS,
    UPGRADES,
    HALVES,
    BODIES,
]

CORPUS: dict[str, Exchange] = {name: exchange for kind in _KINDS for name, exchange in kind.items()}
_DOUBLE = [name for name, times in Counter(n for kind in _KINDS for n in kind).items() if times > 1]
assert not _DOUBLE, f"these names are taken twice: {_DOUBLE}"
