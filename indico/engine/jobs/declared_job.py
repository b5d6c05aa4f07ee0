"""`job`: makes a job of an async function, and `Job` queues its calls."""

from __future__ import annotations

import functools
import inspect
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

from ..error import ServerError
from ..log import REQUEST
from ..mongo.clock import now
from ..mongo.documents import encode
from ..mongo.driver import ObjectId
from .job_document import EARLY, JOBS, JobDocument

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["ATTEMPTS", "GiveUp", "Job", "job"]

ATTEMPTS = 8
TIMEOUT_SECONDS = 300
# The pauses between attempts: 2 s, 8 s, 32 s and so on, three hours in all with `ATTEMPTS`.
_FIRST_PAUSE, _GROWTH, _LONGEST_PAUSE = 2, 4, 24 * 3600
# Jobs that failed together, as when another service was away, come apart.
_JITTER = 0.8, 1.2
_PERIOD = re.compile(r"([1-9]\d*) (second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600, "week": 7 * 24 * 3600}


class GiveUp(Exception):
    """An error that another attempt can't change: the job is dead at once."""


class Job(Generic[P, T]):
    """A function that `job` has made a job. To call it as usual runs it now, in its caller's task.

    `declared` has all jobs of this process by their names. `period` is in seconds.
    """

    declared: ClassVar[dict[str, Job[Any, Any]]] = {}

    def __init__(
        self,
        function: Callable[P, Awaitable[T]],
        name: str,
        delays_seconds: Sequence[float],
        attempts: int,
        timeout_seconds: float,
        period: float | None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.name = name
        self.attempts = attempts
        self.timeout_seconds = timeout_seconds
        self.period = period
        self._function = function
        self._delays = delays_seconds
        self._signature = _checked_signature(function, period)
        _declare(self)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._function(*args, **kwargs)

    async def later(self, *args: P.args, **kwargs: P.kwargs) -> ObjectId:
        """Queue a call that runs as soon as a worker is free, and return the id of the job.

        Inside a transaction the call is queued if, and once, the transaction is kept. Raises
        `TypeError` for arguments that the function or MongoDB does not take.
        """
        return await self._queue(-EARLY, args, kwargs)

    async def later_in(self, seconds: float, /, *args: P.args, **kwargs: P.kwargs) -> ObjectId:
        """Queue a call that runs in `seconds` or some time after; see `later`."""
        return await self._queue(timedelta(seconds=seconds), args, kwargs)

    def pause(self, attempt: int) -> float:
        """Return the seconds from the failure of this attempt to the next one; 1 is the first."""
        if self._delays:
            seconds = self._delays[min(attempt, len(self._delays)) - 1]
        else:
            seconds = min(_FIRST_PAUSE * _GROWTH ** (attempt - 1), _LONGEST_PAUSE)
        return seconds * random.uniform(*_JITTER)  # noqa: S311

    async def _queue(self, wait: timedelta, args: Any, kwargs: Any) -> ObjectId:
        arguments = self._signature.bind(*args, **kwargs).arguments
        try:
            encode(arguments)
        except ServerError as error:
            raise TypeError(
                f"The job {self.name} can't be queued: {error.message} Pass what is in a "
                "document, such as an id."
            ) from None
        job_id, queued_at = ObjectId(), now()
        document: JobDocument = {
            "_id": job_id,
            "name": self.name,
            "arguments": arguments,
            "queued_at": queued_at,
            "due_at": queued_at + wait,
            "attempts": 0,
            "lease": None,
        }
        if request := REQUEST.get():
            document["request"] = request
        await JOBS.insert(document)
        return job_id


def job(
    *,
    attempts: int | None = None,
    delays_seconds: Sequence[float] = (),
    every: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    name: str | None = None,
) -> Callable[[Callable[P, Awaitable[T]]], Job[P, T]]:
    """Make an async function a job, which runs later and at least once, in any process.

    An error is another attempt, after a pause that grows. `delays_seconds` names the pauses. After
    `attempts` the job is dead, and is kept. `every="1 day"` runs it once in that time, across all
    processes. `name` keeps the jobs that are queued when the function gets another name.

        @job(attempts=8)
        async def deliver(delivery_id: str) -> None: ...

        await deliver.later("4f2a")  # queued in the transaction that is open
    """
    if attempts is None:
        attempts = len(delays_seconds) + 1 if delays_seconds else ATTEMPTS
    if attempts < 1:
        raise ValueError("A job needs an attempt at least.")
    options = delays_seconds, attempts, timeout_seconds, _period(every) if every else None

    def decorate(function: Callable[P, Awaitable[T]]) -> Job[P, T]:
        return Job(function, name or function.__name__, *options)

    return decorate


def _period(every: str) -> float:
    """Return the seconds of a text like `1 day`."""
    if not (match := _PERIOD.fullmatch(every)):
        units = ", ".join(f"{unit}s" for unit in _SECONDS)
        raise ValueError(f'every={every!r} must be a number and one of {units}, as in "12 hours".')
    return int(match[1]) * _SECONDS[match[2]]


def _checked_signature(function: Any, period: float | None) -> inspect.Signature:
    """Return the signature of a function that can be a job. Raises `TypeError` for another."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__} can't be a job: write it as async def.")
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(
                f"{function.__qualname__} can't be a job because of its parameter "
                f"{parameter.name}: arguments are stored by name, so give each one a name."
            )
        if period and parameter.default is parameter.empty:
            raise TypeError(
                f"{function.__qualname__} can't run every {period:g} seconds, because its "
                f"parameter {parameter.name} has no default."
            )
    return signature


def _declare(made: Job[Any, Any]) -> None:
    """Keep a job by its name. Raises `TypeError` if another function has the name."""
    other = Job.declared.setdefault(made.name, made)
    if _place(other) != _place(made):
        raise TypeError(
            f"Two jobs are called {made.name}: {'.'.join(_place(other))} and "
            f'{".".join(_place(made))}. Give one of them another name: @job(name="...").'
        )
    Job.declared[made.name] = made


def _place(made: Job[Any, Any]) -> tuple[str, str]:
    function: Any = made
    return function.__module__, function.__qualname__
