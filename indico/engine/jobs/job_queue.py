"""The jobs in MongoDB: which are due, who has taken them, and what became of them.

MongoDB's clock alone decides when another worker may take a job whose lease has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..error import Conflict
from ..mongo.bson_types import OPTIONS
from ..mongo.clock import now
from ..mongo.driver import Document, ObjectId, mongodb
from ..mongo.operation import guard
from .job_document import DEAD, EARLY, JOBS, JobDocument, JobId, Outcome

__all__ = ["NEWS", "Due", "Taker", "count", "declare_schedule", "find_next", "record", "renew"]

_ALIVE = {"due_at": {"$gt": datetime(1970, 1, 1, tzinfo=UTC)}}
_IS_DUE = {**_ALIVE, "$expr": {"$lte": ["$due_at", "$$NOW"]}}
# The changes after which another worker may have something to do.
NEWS = (
    {
        "$match": {
            "$or": [
                {"operationType": "insert"},
                {"updateDescription.updatedFields.lease": {"$type": "null"}},
            ]
        }
    },
    {"$project": {"operationType": 1, "documentKey": 1}},
)


class Due(NamedTuple):
    """A job, and the time from which it may be taken."""

    id: JobId
    at: datetime


class Taker:
    """The taking of jobs by one worker.

    After an error nobody knows whether MongoDB has given the jobs. `unknown` is the query for them.
    """

    def __init__(self) -> None:
        self.unknown: Document | None = None

    async def take(self, ids: Sequence[JobId], seconds: float) -> list[JobDocument]:
        """Take those of the jobs that are still due, for `seconds` each, and return them.

        Of several workers one gets a job, because MongoDB makes each update under its condition.
        """
        lease = ObjectId()
        query = {"_id": {"$in": ids}, **_IS_DUE}
        attempts = {"$add": ["$attempts", 1]}
        self.unknown = taken = {"_id": {"$in": ids}, "lease": lease}
        change = {"lease": lease, "due_at": _after(seconds), "attempts": attempts}
        found = await JOBS.find(taken, limit=len(ids)) if await _update(query, change) else []
        self.unknown = None
        return found

    async def give_back(self) -> None:
        """Release the unknown jobs, which would else wait for the end of a lease without a run."""
        if self.unknown:
            await _release(self.unknown)
            self.unknown = None


async def find_next(names: Collection[str], limit: int) -> list[Due]:
    """Return the jobs that are due first, or will be. Jobs of other names are for newer code."""
    query = {"name": {"$in": sorted(names)}, **_ALIVE}

    async def found() -> list[Document]:
        cursor = _stored().find(query, {"due_at": 1}).sort("due_at", 1).limit(limit)
        documents: list[Document] = await cursor.to_list(None)
        return documents

    return [Due(each["_id"], each["due_at"]) for each in await guard(found)]


async def renew(jobs: Sequence[JobDocument], seconds: float) -> set[JobId]:
    """Prolong the leases, and return the ids of the jobs whose lease was not lost before."""
    query = _held(jobs)
    if await _update(query, {"due_at": _after(seconds)}) == len(jobs):
        return {job["_id"] for job in jobs}
    held = set(await JOBS.find_ids(query, len(jobs)))
    return {job["_id"] for job in jobs if job["_id"] in held}


async def record(ended: Sequence[tuple[JobDocument, Outcome]]) -> None:
    """Record what became of jobs; nothing of those whose lease was lost."""
    work: list[Awaitable[object]] = [
        _record_one(job, outcome) for job, outcome in ended if not _is_finished(outcome)
    ]
    if finished := [job for job, outcome in ended if _is_finished(outcome)]:
        work.append(JOBS.delete(_held(finished)))
    await asyncio.gather(*work)


async def declare_schedule(name: str, period: float) -> None:
    """Make the job that runs once in each `period`, if there is none; it is due at once."""
    time = now()
    first: JobDocument = {
        "_id": name,
        "name": name,
        "arguments": {},
        "queued_at": time,
        "due_at": time - EARLY,
        "planned_at": time - EARLY,
        "attempts": 0,
        "lease": None,
    }
    with suppress(Conflict):  # another process has just made it
        await JOBS.upsert({"_id": name}, set_on_insert={**first})
    latest = time + timedelta(seconds=period)
    too_late = {"_id": name, "lease": None, "attempts": 0, "due_at": {"$gt": latest}}
    await JOBS.update(too_late, {"due_at": latest, "planned_at": latest})


async def count() -> tuple[int, int]:
    """Return how many jobs there are, and how many of them are dead, also of other code."""
    total = await guard(lambda: _stored().estimated_document_count())
    names = await JOBS.distinct("name")  # by the index, which begins with them
    return total, await JOBS.count({"name": {"$in": names}, **DEAD})


def _is_finished(outcome: Outcome) -> bool:
    return outcome.kind == "done" and outcome.period is None


async def _record_one(job: JobDocument, outcome: Outcome) -> None:
    free: Document = {"lease": None}
    failure = {"error": {"$literal": outcome.error}, "failed_at": "$$NOW"}
    if outcome.kind == "released":
        await _release(_held([job]))
    elif outcome.kind == "failed":
        await _update(_held([job]), {**free, **failure, "due_at": _after(outcome.pause)})
    elif outcome.period is None:
        await _update(_held([job]), {**free, **failure, **DEAD})
    else:
        await _plan(job, outcome, outcome.period)


async def _release(query: Document) -> None:
    """Let other workers take jobs at once, with as many attempts as before."""
    attempts = {"$subtract": ["$attempts", 1]}
    await _update(query, {"lease": None, "due_at": "$$NOW", "attempts": attempts})


async def _plan(job: JobDocument, outcome: Outcome, period: float) -> None:
    """Plan the next run of a schedule. If this run is dead, keep a job like it."""
    if outcome.kind == "dead":
        kept: JobDocument = {**job, "lease": None, "due_at": None}
        kept["_id"] = f"{job['name']}-{job['lease']}"  # the same if this is recorded twice
        kept["error"], kept["failed_at"] = outcome.error, now()
        del kept["planned_at"]
        with suppress(Conflict):
            await JOBS.insert(kept)
    passed = {"$divide": [{"$subtract": ["$$NOW", "$planned_at"]}, _milliseconds(period)]}
    following = {"$multiply": [{"$add": [{"$floor": passed}, 1]}, _milliseconds(period)]}
    renewed = {"lease": None, "attempts": 0, "error": "$$REMOVE", "failed_at": "$$REMOVE"}
    planned = {"planned_at": {"$add": ["$planned_at", following]}}
    await _update(_held([job]), planned, {**renewed, "due_at": "$planned_at"})


def _held(jobs: Sequence[JobDocument]) -> Document:
    """Return the query for the jobs whose leases were not lost."""
    leases = {job["lease"] for job in jobs}
    return {"_id": {"$in": [job["_id"] for job in jobs]}, "lease": {"$in": list(leases)}}


async def _update(query: Document, *changes: Document) -> int:
    """Make changes one after the other, as aggregation does, and return how many jobs matched."""
    stages = [{"$set": change} for change in changes]
    result = await guard(lambda: _stored().update_many(query, stages))
    matched: int = result.matched_count
    return matched


def _stored() -> Any:
    return mongodb.own.get_collection(JOBS.name, codec_options=OPTIONS)


def _after(seconds: float) -> Document:
    return {"$add": ["$$NOW", _milliseconds(seconds)]}


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
