"""`CORPUS`: what clients and attackers send to a server, with nothing about the right answers.

A server must refuse what has a name that begins with `bad-`, and close.
"""

from __future__ import annotations

from indico.tests.corpus.bodies import BODIES
from indico.tests.corpus.chunks import CHUNKS
from indico.tests.corpus.connections import CONNECTIONS, EXPECTATIONS, UPGRADES
from indico.tests.corpus.encodings import ENCODINGS
from indico.tests.corpus.exchange import Exchange
from indico.tests.corpus.fields import FIELDS
from indico.tests.corpus.halves import HALVES
from indico.tests.corpus.hosts import HOSTS
from indico.tests.corpus.lengths import LENGTHS
from indico.tests.corpus.pipelines import PIPELINES
from indico.tests.corpus.request_lines import REQUEST_LINES
from indico.tests.corpus.targets import TARGETS

KINDS = [
    LENGTHS,
    ENCODINGS,
    CHUNKS,
    FIELDS,
    HOSTS,
    TARGETS,
    REQUEST_LINES,
    PIPELINES,
    CONNECTIONS,
    EXPECTATIONS,
    UPGRADES,
    HALVES,
    BODIES,
]
CORPUS: dict[str, Exchange] = {name: exchange for kind in KINDS for name, exchange in kind.items()}
