"""A job as MongoDB keeps it, and what may become of an attempt at it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict

from ..mongo.collection import Collection, IndexModel
from ..mongo.driver import Document, ObjectId

JobId = ObjectId | str

__all__ = ["DEAD", "EARLY", "JOBS", "JobDocument", "JobId", "Outcome"]


class JobDocument(TypedDict):
    """A call of the job `name`, which a worker may take once `due_at` has passed.

    `due_at` is the end of the lease while a worker has the job, and None once it is dead. Each
    time a worker takes the job, `lease` is another one. The `_id` of a schedule is its name.
    `planned_at` is the time of its run, which pauses between attempts do not move.
    """

    _id: JobId
    name: str
    arguments: dict[str, Any]
    queued_at: datetime
    due_at: datetime | None
    attempts: int
    lease: ObjectId | None
    error: NotRequired[str]
    failed_at: NotRequired[datetime]
    request: NotRequired[dict[str, str]]
    planned_at: NotRequired[datetime]


JOBS = Collection("jobs", JobDocument, IndexModel([("name", 1), ("due_at", 1)]))
# Clocks differ. What is to run at once was due some time ago, so that no machine waits for it.
EARLY = timedelta(seconds=10)
DEAD: Document = {"due_at": None}


class Outcome(NamedTuple):
    """The end of an attempt. An attempt that has `failed` is repeated after `pause`.

    `period` is for a schedule, which goes on whatever the outcome is. A job is `released` if its
    worker ends first.
    """

    kind: Literal["done", "failed", "dead", "released"]
    error: str = ""
    pause: float = 0
    period: float | None = None
