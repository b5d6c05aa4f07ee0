"""The decorators of an action: `unpack` names fields, `type_check` types, `raises` errors.

A decorator writes to the action's record and returns the same function. Dispatch reads the record.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from ..error import APIError
from .action import REQUIRED, Action, record_of
from .unknown_fields import known_fields


def unpack(*required: str, **optional: Any) -> Callable[[Action], Action]:
    """Call the action with these fields of the body, in this order.

    A keyword gives a field that may be missing, and its default. A required field that is missing,
    and a field with any other name, are answered 400 `invalid_argument`.

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
        record = record_of(action)
        if record.look_up:
            raise TypeError(f"{action.__name__}: @auth goes above @unpack.")
        if record.types and len(record.types) != len(fields):
            raise TypeError(
                f"{action.__name__}: @unpack names {len(fields)} fields, "
                f"@type_check {len(record.types)} types."
            )
        _check_arguments(action, fields)
        record.fields, record.known = fields, frozenset(fields)
        return action

    return decorate


def type_check(*types: Any) -> Callable[[Action], Action]:
    """Call the action with the values of its fields, validated as `types` in the same order.

    A type is whatever pydantic can validate: a Python type, an `Annotated` one, a model. JSON's
    types are not converted into each other (`"1"` and `true` are no int). The action gets the
    validated value: an instance of the model, a `datetime`, ... A default of `unpack` is passed on
    as it is. One answer, 400 `invalid_argument`, tells every problem.

        @unpack("title", limit=20)
        @type_check(str, Annotated[int, Field(ge=1, le=100)])
        async def search(self, title, limit): ...
    """
    adapters = tuple(TypeAdapter(kind) for kind in types)

    def decorate(action: Action) -> Action:
        record = record_of(action)
        if record.fields is not None or record.look_up:
            raise TypeError(f"{action.__name__}: @type_check goes below @auth and @unpack.")
        record.types, record.adapters = types, adapters
        record.known = known_fields(types)  # of a whole body, unless @unpack follows
        return action

    return decorate


def raises(*errors: type[APIError]) -> Callable[[Action], Action]:
    """Declare the errors of the action itself, beside those of its fields, its token, the server.

    The API's document shows them. A test that gets another error of the action fails.

        @unpack("id")
        @type_check(Id)
        @raises(NotFound)
        async def get(self, note_id): ...
    """

    def decorate(action: Action) -> Action:
        record_of(action).raises = errors
        return action

    return decorate


def _check_arguments(action: Action, fields: dict[str, Any]) -> None:
    try:
        inspect.signature(action).bind(None, *fields.values())
    except TypeError as error:
        names = ", ".join(fields)
        raise TypeError(f"{action.__name__}: @unpack passes self and {names}: {error}.") from None
