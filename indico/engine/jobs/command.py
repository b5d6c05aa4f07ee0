"""The command that shows jobs, runs dead ones again, deletes jobs, or works on them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import pymongo

from .. import standard_streams
from ..mongo.clock import now
from ..mongo.connection import disconnect, unlimited
from ..mongo.driver import Database, Document, ObjectId
from ..mongo.embedded import Embedded
from ..mongo.operation import guard
from ..process.database import connect_to
from ..process.greeting import say
from ..process.script import run_script
from ..program import Program
from ..settings import ServerSettings
from .declared_job import Job
from .job_document import DEAD, EARLY, JOBS
from .worker import JobWorker

_SECONDS = 60  # for an operation: there may be a million jobs
_MOST_SHOWN = 1000


def main(program: Program, argv: Sequence[str]) -> int:
    """Count the jobs by their names, or do what a flag says, and return the exit code."""
    options = argparse.ArgumentParser(
        prog=f"python -m {program.package}.jobs",
        description=f"Counts the jobs in the database. Takes the settings of {program.command}.",
        add_help=False,
        allow_abbrev=False,
    )
    add = options.add_argument_group("what it does instead").add_mutually_exclusive_group()
    one = add.add_argument
    one("--dead", action="store_true", help="list the dead jobs, with the error of each")
    one("--retry", metavar="ID", help="run a dead job again")
    one("--retry-all", action="store_true", help="run all dead jobs again")
    one("--delete", metavar="ID", help="delete a job that does not run")
    one("--work", action="store_true", help="run jobs, and serve nothing, until a signal")
    chosen, flags = options.parse_known_args(argv)

    async def work(settings: ServerSettings, origin: Embedded | str) -> int:
        program.app(settings)  # its import declares the jobs
        if chosen.work:
            return await _work(program, settings, origin)
        uri = origin.uri if isinstance(origin, Embedded) else origin
        timeout = settings.mongodb_timeout_seconds
        async with unlimited(uri, settings.mongodb_database, timeout) as database:
            return await _StoredJobs(database).do(chosen)

    standard_streams.open_streams()
    return run_script(program, options, flags, work)


async def _work(program: Program, settings: ServerSettings, origin: Embedded | str) -> int:
    """Run jobs until a signal cancels this."""
    await connect_to(program, settings, origin)
    worker = JobWorker(settings.job_concurrency, settings.job_lease_seconds)
    worker.start()
    say(f"{settings.service_name}: runs up to {settings.job_concurrency} jobs at once")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await worker.drain(settings.drain_seconds)
    await disconnect()
    return 0


class _StoredJobs:
    """The jobs of the database, by the driver's own collection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stored = database[JOBS.name]

    async def do(self, chosen: argparse.Namespace) -> int:
        """Do what the flags say, and return the exit code."""
        if chosen.dead:
            await self._list_dead()
        elif chosen.retry_all:
            say(f"dead jobs that run again: {await self._retry({})}")
        elif chosen.retry:
            done = await self._retry({"_id": _id(chosen.retry)})
            return _say_whether(done, f"{chosen.retry} runs again", "no dead job has this id")
        elif chosen.delete:
            query = {"_id": _id(chosen.delete), "lease": None}
            deleted = await _done(lambda: self._stored.delete_one(query))
            refusal = "no job that does not run has this id"
            return _say_whether(deleted.deleted_count, f"{chosen.delete} is deleted", refusal)
        else:
            await self._count()
        return 0

    async def _count(self) -> None:
        """Print a line for each name."""
        dead = {"$cond": [{"$eq": ["$due_at", None]}, 1, 0]}
        running = {"$cond": [{"$eq": ["$lease", None]}, 0, 1]}
        sums = {"all": {"$sum": 1}, "dead": {"$sum": dead}, "running": {"$sum": running}}
        waits_until = {"$cond": [{"$eq": ["$lease", None]}, "$due_at", None]}
        group = {"$group": {"_id": "$name", **sums, "next": {"$min": waits_until}}}
        lines = await self._read([group, {"$sort": {"_id": 1}}])
        for found in lines:
            queued = found["all"] - found["dead"] - found["running"]
            counts = f"{queued} queued, {found['running']} running, {found['dead']} dead"
            say(f"{found['_id']}  {counts}{_about(found['_id'], found['next'])}")
        if not lines:
            say("there are no jobs")

    async def _list_dead(self) -> None:
        order, limit = {"$sort": {"failed_at": 1}}, {"$limit": _MOST_SHOWN}
        for job in await self._read([{"$match": DEAD}, order, limit]):
            attempts = "1 attempt" if job["attempts"] == 1 else f"{job['attempts']} attempts"
            say(
                f"{job['_id']}  {job['name']}  {attempts}, the last at "
                f"{job['failed_at']:%Y-%m-%d %H:%M:%S}: {job['error']}\n    {job['arguments']}"
            )

    async def _retry(self, query: Document) -> int:
        again = {"due_at": now() - EARLY, "attempts": 0, "lease": None}
        update = self._stored.update_many
        result = await _done(lambda: update({**query, **DEAD}, {"$set": again}))
        count: int = result.matched_count
        return count

    async def _read(self, pipeline: list[Document]) -> list[Document]:
        found: list[Document] = await _done(lambda: self._database.aggregate(JOBS.name, pipeline))
        return found


def _about(name: str, following: datetime | None) -> str:
    """Return what else there is to say of the jobs of a name."""
    if (known := Job.declared.get(name)) is None:
        return ", not in this code"
    return f", next at {following:%Y-%m-%d %H:%M:%S}" if known.period and following else ""


def _say_whether(done: int, success: str, refusal: str) -> int:
    """Print what came out, and return the exit code."""
    if done:
        say(success)
        return 0
    standard_streams.complain(refusal)
    return 1


def _id(text: str) -> ObjectId | str:
    return ObjectId(text) if ObjectId.is_valid(text) else text


async def _done(operation: Callable[[], Awaitable[Any]]) -> Any:
    with pymongo.timeout(_SECONDS):
        return await guard(operation, _SECONDS)
