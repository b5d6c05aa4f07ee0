"""The run: the lock is taken, and each step of the plan is made and recorded."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from ..broken_code import BrokenCode, broken_code
from ..mongo.collection import Collection
from ..mongo.driver import Database
from ..mongo.validators import Validation, put_validators
from ..program import Program
from ..progress import Progress
from .folder import find_migrations
from .iteration import RUNNING, Running
from .lease import LEASE_SECONDS, hold
from .plan import Step, load_works, make_plan


async def migrate(
    program: Program,
    database: Database,
    progress: Progress,
    to: int | None = None,
    lease_seconds: float = LEASE_SECONDS,
    validation: Validation | None = None,
) -> list[Step]:
    """Apply what is not applied yet, or go to the migration `to`, and return the steps.

    With `validation` the declared collections get their validators before the first step. A
    migration may remove a field that older validators demand.
    """
    async with hold(database, progress, lease_seconds) as lease:
        found = find_migrations(program.migrations)
        steps = make_plan(found, lease.state.applied, to)
        works = load_works(program.migrations, steps)
        if works and validation:
            await put_validators(Collection.declared, database, validation)
        for step, work in works:
            await lease.renew()
            progress.say(f"{step.text} ...")
            before = time.monotonic()
            await _make(program, step, work(database.own), Running(step.name, lease, progress))
            seconds = time.monotonic() - before
            await lease.record(step.migration, None if step.undo else seconds)
            progress.say(f"{step.name} {'undone' if step.undo else 'applied'} in {seconds:.1f} s")
    return steps


async def _make(program: Program, step: Step, work: Awaitable[object], running: Running) -> None:
    """Do the work of a step. Raises `BrokenCode` if it fails."""
    token = RUNNING.set(running)
    try:
        with broken_code(program.package):
            await work
    except BrokenCode as error:
        raise BrokenCode(
            f"{step.name} failed, and is {'still' if step.undo else 'not'} recorded as applied. "
            f"What it changed stays. Fix it, and run it again. {error}"
        ) from error
    finally:
        RUNNING.reset(token)
