"""The record of an action: what its decorators say of it, and the arguments that follow from it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError
from tornado.httputil import HTTPHeaders

from ..error import APIError, InvalidArgument, InvalidJSON, MissingField
from ..validation import problems_of

Action = Callable[..., Coroutine[Any, Any, Any]]
LookUp = Callable[[HTTPHeaders], Awaitable[Any]]


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


class Caller(Protocol):
    """The part of a handler that an action's arguments come from."""

    @property
    def body(self) -> Mapping[str, Any]: ...

    @property
    def has_body(self) -> bool: ...


@dataclass
class ActionRecord:
    """One for each action; all of its decorators write to the same.

    `look_up` finds the session of a request by its headers; None for an action without a token.
    `fields` has each field that `unpack` names, with its default or `REQUIRED`; None without
    `unpack`. `whole_body` says whether the whole body is the only argument. `types` are those of
    the fields, or the one of the whole body.
    """

    look_up: LookUp | None = None
    fields: dict[str, Any] | None = None
    whole_body: bool = False
    types: tuple[Any, ...] = ()
    adapters: tuple[TypeAdapter[Any], ...] = ()

    def arguments(self, caller: Caller) -> Sequence[Any]:
        """Return the arguments of a call, from its body.

        Raises `InvalidJSON`, or one `InvalidArgument` with every problem.
        """
        if self.fields is not None:
            body = caller.body
            fields = self.fields
            values = [body.get(name, default) for name, default in fields.items()]
        elif self.whole_body:
            fields, values = {"": REQUIRED}, [caller.body]
        else:
            return ()
        problems = self._validate(fields, values) if self.adapters else _missing(fields, values)
        if problems:
            raise _refusal(caller, problems)
        return values

    def _validate(self, fields: dict[str, Any], values: list[Any]) -> list[InvalidArgument]:
        """Replace each value by what its type makes of it, and return the problems."""
        problems: list[InvalidArgument] = []
        for place, (name, default) in enumerate(fields.items()):
            value = values[place]
            if value is default:
                if default is REQUIRED:
                    problems.append(MissingField(name))
                continue
            try:
                json = orjson.dumps(value)
                values[place] = self.adapters[place].validate_json(json, strict=True)
            except ValidationError as error:
                problems += problems_of(error, name)
        return problems


def record_of(action: Action) -> ActionRecord:
    """Return the record of `action`, which is made when its first decorator asks."""
    found: ActionRecord | None = action.__dict__.get("record")
    if found is None:
        if not inspect.iscoroutinefunction(action):
            raise TypeError(f"{action.__qualname__} can't be an action: write it as async def.")
        found = action.__dict__["record"] = ActionRecord()
    return found


def _missing(fields: dict[str, Any], values: list[Any]) -> list[InvalidArgument]:
    named = zip(fields, values, strict=True)
    return [MissingField(name) for name, value in named if value is REQUIRED]


def _refusal(caller: Caller, problems: Sequence[InvalidArgument]) -> APIError:
    if not caller.has_body:
        return InvalidJSON("The body is empty: this action needs a JSON object with its fields.")
    return InvalidArgument.join(problems)
