"""MongoDB: one helper module a collection. This module lists what they need of the engine."""

from indico.engine.letter_case import folded
from indico.engine.limits.bucket import Bucket
from indico.engine.limits.buckets import give_back, take
from indico.engine.limits.network import network_of
from indico.engine.limits.rate import Rate
from indico.engine.mongo.clock import now
from indico.engine.mongo.collection import Collection, IndexModel, Part
from indico.engine.mongo.driver import Document, Id, ObjectId, mongodb
from indico.engine.mongo.paging import Position, find_page
from indico.engine.mongo.prefix import beginning_with
from indico.engine.mongo.shared_version import SharedVersion
from indico.engine.mongo.transactions import (
    current_session,
    in_transaction,
    outside_transaction,
    transaction,
)
from indico.engine.mongo.turns import turn
from indico.engine.tasks import start as start_task

__all__ = [
    "Bucket",
    "Collection",
    "Document",
    "Id",
    "IndexModel",
    "ObjectId",
    "Part",
    "Position",
    "Rate",
    "SharedVersion",
    "beginning_with",
    "current_session",
    "find_page",
    "folded",
    "give_back",
    "in_transaction",
    "mongodb",
    "network_of",
    "now",
    "outside_transaction",
    "start_task",
    "take",
    "transaction",
    "turn",
]
