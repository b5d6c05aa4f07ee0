"""`offload`: work that needs a processor, in processes beside the event loop."""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from .pool import Pool, cores

__all__ = ["configure", "cores", "functions", "offload", "stop"]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_QUEUE = 64

# By module and name: in its module, the name of a function is that of its `Offloaded`.
functions: dict[tuple[str, str], Callable[..., Any]] = {}
_pool = Pool(0, DEFAULT_QUEUE)


class Offloaded(Generic[P, T]):
    """A function that is awaited and runs in the pool; `__wrapped__` runs where it is called."""

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
        result: T = await _pool.run(request, self._deadline_seconds)
        return result


def offload(*, deadline_seconds: float) -> Callable[[Callable[P, T]], Offloaded[P, T]]:
    """Runs a plain function in another process; its caller awaits it.

    After `deadline_seconds`, those in the queue included, `DeadlineExceeded`; at once, when the
    queue is full, `Unavailable`. A call that nobody waits for any more is ended. What the
    function raises arrives as it is; `ServerError` if the process ended. Arguments and result
    are pickled.

        @offload(deadline_seconds=10)
        def keywords(text: str, limit: int) -> list[Keyword]: ...

        found = await keywords(text, 5)
    """

    def decorate(function: Callable[P, T]) -> Offloaded[P, T]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} can't be offloaded: write it as plain def.")
        if "." in function.__qualname__ or function.__module__ == "__main__":
            raise TypeError(
                f"{function.__qualname__} can't be offloaded: another process has to import it, "
                "so it belongs at the top of a module, which is not the program itself."
            )
        return Offloaded(function, deadline_seconds)

    return decorate


def configure(processes: int, queue: int) -> None:
    """At most `processes` at work (0: one a core), and `queue` calls that wait for one."""
    global _pool
    stop()
    _pool = Pool(processes, queue)


def stop() -> None:
    """Ends the processes, and the calls that there still are; the next call begins anew."""
    _pool.stop()
