"""The sample with jobs, for servers in processes of their own."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ...http.action_handler import ActionHandler
from ...http.answer import Created
from ...http.application import Application
from ...http.decorators import type_check, unpack
from ...jobs import Job, job
from ...mongo.collection import Collection, Document
from ...mongo.driver import ObjectId
from ...mongo.transactions import transaction
from ..sample import app as sample
from ..sample.app import ITEMS, Settings

# What the jobs have done: `what` they are, and in which process.
MARKS = Collection("job_marks", Document)


async def leave_mark(what: str) -> None:
    await MARKS.insert({"what": what, "pid": os.getpid()})


@job(delays_seconds=[0.1] * 1000)
async def mark(key: str) -> None:
    """Leave a mark; killed servers use up attempts."""
    await leave_mark(key)


@job()
async def meet(processes: int) -> None:
    """Wait until so many processes run this at the same time."""
    await leave_mark("meet")
    while len(await MARKS.distinct("pid", {"what": "meet"})) < processes:
        await asyncio.sleep(0.01)


@job()
async def hold() -> None:
    """Wait until a test leaves a mark."""
    await leave_mark("hold")
    while not await MARKS.exists({"what": "go"}):
        await asyncio.sleep(0.01)
    await leave_mark("held")


@job(every="1 day")
async def be_daily() -> None:
    await leave_mark("daily")


class JobHandler(ActionHandler):
    @unpack("name", "arguments")
    @type_check(str, dict)
    async def queue(self, name: str, arguments: dict[str, Any]) -> ObjectId:
        """Queue any job."""
        job_id: ObjectId = await Job.declared[name].later(**arguments)
        return job_id

    @unpack("key")
    @type_check(str)
    @transaction
    async def add(self, key: str) -> Created[None]:
        """Make an item, and queue a job in the same transaction."""
        await ITEMS.insert({"_id": ObjectId(), "item": {"key": key}})
        await mark.later(key)


def make_app(settings: Settings) -> Application:
    app = sample.make_app(settings)
    app.add_handlers(".*", [(r"/job/(?P<action>[a-z]+)", JobHandler)])
    return app
