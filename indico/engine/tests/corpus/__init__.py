"""`CORPUS`: what clients and attackers send to a server, with nothing about the right answers.

A server must refuse what has a name that begins with `bad-`, and close.
"""

from __future__ import annotations

from .bodies import BODIES
from .chunks import CHUNKS
from .connections import CONNECTIONS, EXPECTATIONS, UPGRADES
from .encodings import ENCODINGS
from .exchange import Exchange
from .fields import FIELDS
from .halves import HALVES
from .hosts import HOSTS
from .lengths import LENGTHS
from .pipelines import PIPELINES
from .request_lines import REQUEST_LINES
from .targets import TARGETS

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
