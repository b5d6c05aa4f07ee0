"""`offload`: CPU-bound work in other processes, so that the event loop is never blocked."""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Any, Generic, ParamSpec, TypeVar

from .pool import DEFAULT_SHARE, Pool, cores

__all__ = ["CALLER", "DEFAULT_SHARE", "configure", "cores", "functions", "offload", "stop"]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_QUEUE = 64

# The user or address for whom the current task works. None is for no one: there is no share.
CALLER: ContextVar[Hashable] = ContextVar("caller", default=None)

# Each function by its module and name. The pool's process looks functions up here, because its
# module has the `Offloaded` under that name.
functions: dict[tuple[str, str], Callable[..., Any]] = {}
_pool = Pool(0, DEFAULT_QUEUE)


class Offloaded(Generic[P, T]):
    """A function that is awaited and runs in the pool; `__wrapped__` runs in this process."""

    __wrapped__: Callable[P, T]

    def __init__(self, function: Callable[P, T], deadline_seconds: float) -> None:
        self._name = function.__module__, function.__qualname__
        self._deadline_seconds = deadline_seconds
        functools.update_wrapper(self, function)
        functions[self._name] = function

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            request = pickle.dumps((self._name, args, kwargs))
        except Exception as error:
            name = self._name[1]
            raise TypeError(f"{name}: an argument can't go to another process: {error}") from error
        result: T = await _pool.run(request, self._deadline_seconds, CALLER.get())
        return result


def offload(*, deadline_seconds: float) -> Callable[[Callable[P, T]], Offloaded[P, T]]:
    """Run a function without `async` in another process; its caller awaits the result.

    The deadline includes the time in the queue. Arguments and result are pickled. A call ends when
    its caller is cancelled. A call raises the function's own exception, or one of four:
    `DeadlineExceeded`; `Unavailable` at once, if the queue is full or no process can be started;
    `RateLimited` at once, if the user of the request has a whole share of calls; `ServerError`, if
    the process ended.

        @offload(deadline_seconds=10)
        def keywords(text: str, limit: int) -> list[Keyword]: ...

        found = await keywords(text, 5)
    """

    def decorate(function: Callable[P, T]) -> Offloaded[P, T]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} can't be offloaded: write it as plain def.")
        if "." in function.__qualname__ or function.__module__ == "__main__":
            raise TypeError(
                f"{function.__qualname__} can't be offloaded, because another process must import "
                "it. Put it at the top of a module that is not the program itself."
            )
        return Offloaded(function, deadline_seconds)

    return decorate


def configure(processes: int, queue: int, share: int = DEFAULT_SHARE) -> None:
    """Replace the pool by one of `processes` (0: one for each core), and `queue` waiting calls.

    One caller has at most `share` calls that run or wait.
    """
    global _pool
    stop()
    _pool = Pool(processes, queue, share)


def stop() -> None:
    """End the processes and all calls. The next call starts a new process."""
    _pool.stop()
