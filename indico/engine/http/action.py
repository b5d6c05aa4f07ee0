"""What the decorators of an action leave on it, for dispatch and documentation to read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Action = Callable[..., Coroutine[Any, Any, Any]]


@dataclass
class Facts:
    """One for each action; all of its decorators write to the same.

    `token`: whether it needs one. `fields`: the name of each field that it takes from the body,
    with its default or `REQUIRED`; None without `unpack`. `whole_body`: whether the whole body
    is its argument. `types`: those of the fields, or that of the whole body.
    """

    token: bool = False
    fields: dict[str, Any] | None = None
    whole_body: bool = False
    types: tuple[Any, ...] = ()


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


class Caller(Protocol):
    """The part of a handler that the decorators use."""

    @property
    def body(self) -> Mapping[str, Any]: ...

    @property
    def has_body(self) -> bool: ...


def facts(action: Action) -> Facts:
    """The facts of `action`; decorators that use `functools.wraps` pass them on."""
    found: Facts | None = action.__dict__.get("facts")
    if found is None:
        if not inspect.iscoroutinefunction(action):
            raise TypeError(f"{action.__qualname__} can't be an action: write it as async def.")
        found = action.__dict__["facts"] = Facts()
    return found
