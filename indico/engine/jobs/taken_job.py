"""`TakenJob`: one attempt at a job, which this process makes while it has the job's lease."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from ..error import APIError
from ..log import LOGGER, REQUEST
from ..mongo.operation import DEADLINE, Deadline
from ..telemetry import metrics
from .declared_job import GiveUp, Job
from .job_document import JobDocument, Outcome

__all__ = ["TakenJob"]

_MAX_ERROR = 1000


class TakenJob:
    """An attempt; its lease is held until `until`, a time of the loop's clock."""

    def __init__(self, document: JobDocument, job: Job[Any, Any], until: float) -> None:
        self.document = document
        self._job = job
        self._until = until
        self._limit: asyncio.Timeout | None = None
        self._period = job.period if "planned_at" in document else None

    def hold(self, until: float) -> None:
        """Go on until this time; if it has passed already, the attempt ends at once."""
        self._until = until
        if self._limit and not self._limit.expired():
            self._limit.reschedule(until)

    async def attempt(self) -> Outcome | None:
        """Call the function and return the outcome; None if the lease was lost meanwhile."""
        request = self.document.get("request") or {"request_id": str(self.document["_id"])}
        REQUEST.set(request)
        try:
            async with asyncio.timeout_at(self._until) as self._limit:
                return await self._outcome()
        except TimeoutError:
            self._log(logging.WARNING, "lost its lease, and may run elsewhere by now")
            return None
        finally:
            self._limit = None

    async def _outcome(self) -> Outcome:
        if self.document["attempts"] > self._job.attempts:
            return self._failed("Each worker that ran it ended, or lost its lease.", dead=True)
        began = time.perf_counter()
        seconds = self._job.timeout_seconds
        DEADLINE.set(Deadline(asyncio.get_running_loop().time() + seconds))
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._job(**self.document["arguments"])
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            text = f"It took over {seconds:g} s." if limit.expired() else _text(error)
            return self._failed(text, error, dead=isinstance(error, GiveUp))
        finally:
            metrics.JOB_SECONDS.labels(self._job.name).observe(time.perf_counter() - began)
        metrics.JOBS_ENDED.labels(self._job.name, "done").inc()
        self._log(logging.INFO, f"done in {(time.perf_counter() - began) * 1000:.1f} ms")
        return Outcome("done", period=self._period)

    def _failed(
        self, text: str, error: BaseException | None = None, *, dead: bool = False
    ) -> Outcome:
        attempt, attempts = self.document["attempts"], self._job.attempts
        dead = dead or attempt >= attempts
        outcome = Outcome(
            "dead" if dead else "failed", text[:_MAX_ERROR], self._job.pause(attempt), self._period
        )
        metrics.JOBS_ENDED.labels(self._job.name, outcome.kind).inc()
        unexpected = error if error and not isinstance(error, APIError | GiveUp) else None
        then = "and is dead" if dead else f"again in {outcome.pause:.1f} s"
        level = logging.ERROR if dead else logging.WARNING
        self._log(level, f"failed, {then}: {text}", unexpected)
        return outcome

    def _log(self, level: int, what: str, error: BaseException | None = None) -> None:
        """Log a line with the ids of the job, and of the request that queued it."""
        job_id, attempt = str(self.document["_id"]), self.document["attempts"]
        fields = {"job": self._job.name, "job_id": job_id, "attempt": attempt}
        LOGGER.log(
            level,
            "job %s %s, attempt %s of %s, %s",
            *(self._job.name, job_id, attempt, self._job.attempts, what),
            exc_info=error,
            extra={"fields": fields},
        )


def _text(error: BaseException) -> str:
    """Return the name and the message of an error, as MongoDB can hold it.

    A surrogate, as in the name of a file that is not in UTF-8, becomes its escape sequence.
    """
    text = type(error).__name__
    with suppress(Exception):  # an error whose `__str__` fails has a name only
        text += f": {error}" if str(error) else ""
    return text.encode(errors="backslashreplace").decode()
