"""`unpack` takes fields out of the body, `type_check` says what may be in them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from ..error import InvalidArgument, InvalidJSON, MissingField
from ..validation import problems_of
from .action import REQUIRED, Action, Caller, facts


def unpack(*required: str, **optional: Any) -> Callable[[Action], Action]:
    """Calls the action with these fields of the body, in this order.

    A keyword gives a field that may be missing, and its default. Other fields of the body are
    left alone. A required one that is missing: 400 `invalid_argument`.

        @unpack("title", limit=20)
        async def search(self, title, limit): ...
    """
    fields = {**dict.fromkeys(required, REQUIRED), **optional}
    if not all(isinstance(name, str) for name in required):
        raise TypeError("@unpack takes the names of fields: @unpack('title').")
    for name, default in optional.items():
        if isinstance(default, list | dict | set):
            raise TypeError(f"@unpack: all calls would share the default of {name}; take None.")

    def decorate(action: Action) -> Action:
        known = facts(action)
        if known.token:
            raise TypeError(f"{action.__name__}: @auth goes above @unpack.")
        if known.types and len(known.types) != len(fields):
            raise TypeError(
                f"{action.__name__}: @unpack names {len(fields)} fields, "
                f"@type_check {len(known.types)} types."
            )
        _check_arguments(action, fields)
        known.fields = fields

        @functools.wraps(action)
        async def unpacked(self: Caller) -> Any:
            body = self.body
            if not known.types and (missing := [n for n in required if n not in body]):
                raise _refusal(self, [MissingField(name) for name in missing])
            return await action(self, *(body.get(name, fields[name]) for name in fields))

        return unpacked

    return decorate


def type_check(*types: Any) -> Callable[[Action], Action]:
    """Calls the action with its values once they are what `types` say, in the same order.

    A type is whatever pydantic can validate: a Python type, an `Annotated` one, a model. JSON's
    types are not converted into each other (`"1"` and `true` are no int).
    The action gets the validated value: an instance of the model, a `datetime`, ... A default
    of `unpack` is passed on as it is. Every problem is told in one 400 `invalid_argument`.

        @unpack("title", limit=20)
        @type_check(str, Annotated[int, Field(ge=1, le=100)])
        async def search(self, title, limit): ...
    """
    adapters = [TypeAdapter(kind) for kind in types]

    def decorate(action: Action) -> Action:
        known = facts(action)
        if known.fields is not None or known.token:
            raise TypeError(f"{action.__name__}: @type_check goes below @auth and @unpack.")
        known.types = types

        @functools.wraps(action)
        async def checked(self: Caller, *values: Any) -> Any:
            fields = known.fields if known.fields is not None else {"": REQUIRED}
            problems: list[InvalidArgument] = []
            valid = []
            for (name, default), adapter, value in zip(
                fields.items(), adapters, values, strict=True
            ):
                if value is default:
                    if default is REQUIRED:
                        problems.append(MissingField(name))
                    valid.append(default)
                    continue
                try:
                    valid.append(adapter.validate_json(orjson.dumps(value), strict=True))
                except ValidationError as error:
                    problems += problems_of(error, name)
            if problems:
                raise _refusal(self, problems)
            return await action(self, *valid)

        return checked

    return decorate


def _check_arguments(action: Action, fields: dict[str, Any]) -> None:
    try:
        inspect.signature(action).bind(None, *fields.values())
    except TypeError as error:
        names = ", ".join(fields)
        raise TypeError(f"{action.__name__}: @unpack passes self and {names}: {error}.") from None


def _refusal(handler: Caller, problems: Sequence[InvalidArgument]) -> Exception:
    if not handler.has_body:
        return InvalidJSON("The body is empty: this action needs a JSON object with its fields.")
    return InvalidArgument.join(problems)
