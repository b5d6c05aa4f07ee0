"""MongoDB: one helper module a collection. This module lists what they need of the engine."""

from indico.engine.mongo.clock import now
from indico.engine.mongo.collection import Collection, IndexModel, Part
from indico.engine.mongo.driver import Document, Id, ObjectId, mongodb
from indico.engine.mongo.paging import Position, find_page
from indico.engine.mongo.transactions import (
    current_session,
    in_transaction,
    outside_transaction,
    transaction,
)
from indico.engine.mongo.turns import turn
from indico.engine.tasks import start as start_task

__all__ = [
    "Collection",
    "Document",
    "Id",
    "IndexModel",
    "ObjectId",
    "Part",
    "Position",
    "current_session",
    "find_page",
    "in_transaction",
    "mongodb",
    "now",
    "outside_transaction",
    "start_task",
    "transaction",
    "turn",
]
