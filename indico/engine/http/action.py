"""The record of an action: its decorators write the record, and dispatch reads it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from ..error import APIError, InvalidArgument, InvalidJSON, MissingField
from ..validation import problems_of, refuse
from .answer import Answer, answer_of
from .unknown_fields import unknown_fields

if TYPE_CHECKING:
    from .call_limits import Limit
    from .deprecation import Deprecation

Action = Callable[..., Coroutine[Any, Any, Any]]
Effect = Literal["read_only", "idempotent", "not_idempotent"]
LookUp = Callable[[Any], Awaitable[Any]]


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
_WHOLE_BODY: dict[str, Any] = {"": REQUIRED}
_NOTHING: dict[str, Any] = {}


@dataclass
class ActionRecord:
    """The facts of one action; all of its decorators write to the same record.

    `action` is the function that a person wrote. `look_up` finds the session of a handler's
    request; None for an action without a token. `fields` has each field that `unpack` names, with
    its default or `REQUIRED`; None without `unpack`. `whole_body` says whether the whole body is
    the only argument. `types` has a type for each field, or one type for the whole body, and
    `adapters` what validates each. `known` has the names of all fields that the body may have; None
    for any name. `raises` has the errors that `raises` names. `effect` says what a second call of
    the same does; None is as `not_idempotent`. `takes_key` says whether a call with an
    `Idempotency-Key` happens once. `deprecation` is set for an action that will be withdrawn.
    `limits` has those that `limit` names, the topmost first.
    """

    action: Action
    look_up: LookUp | None = None
    fields: dict[str, Any] | None = None
    whole_body: bool = False
    types: tuple[Any, ...] = ()
    adapters: tuple[TypeAdapter[Any], ...] = ()
    known: AbstractSet[str] | None = frozenset()
    raises: tuple[type[APIError], ...] = ()
    effect: Effect | None = None
    takes_key: bool = True
    deprecation: Deprecation | None = None
    limits: tuple[Limit, ...] = ()

    @functools.cached_property
    def answer(self) -> Answer:
        """The type and the status of the answer; resolved late, once all modules are imported."""
        return answer_of(self.action)

    @functools.cached_property
    def status(self) -> int:
        return self.answer.status

    def arguments(self, body: Mapping[str, Any], sent: bool) -> Sequence[Any]:
        """Return the arguments of a call from its body; `sent` is false for an empty body.

        Raises `InvalidJSON`, or one `InvalidArgument` with every problem.
        """
        problems: list[InvalidArgument] = []
        if self.known is None:
            if not self.adapters:
                return (body,)
        elif not body.keys() <= self.known:
            problems += unknown_fields(body, self.known)
            body = {name: body[name] for name in self.known if name in body}
        fields, values = self._values(body)
        problems[:0] = self._validate(fields, values) if self.adapters else _missing(fields, values)
        if problems and not sent:
            raise InvalidJSON("The body is empty: this action needs a JSON object with its fields.")
        refuse(problems)
        return values

    def _values(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Return the fields, and the value of each; "" stands for the whole body."""
        if self.fields is not None:
            return self.fields, [body.get(name, default) for name, default in self.fields.items()]
        return (_WHOLE_BODY, [body]) if self.whole_body else (_NOTHING, [])

    def _validate(self, fields: dict[str, Any], values: list[Any]) -> list[InvalidArgument]:
        """Replace each value by the validated value, and return the problems."""
        problems: list[InvalidArgument] = []
        for place, (name, default) in enumerate(fields.items()):
            value = values[place]
            if value is default:
                if default is REQUIRED:
                    problems.append(MissingField(name))
                continue
            try:
                # Only from JSON does strict validation take a text for a datetime.
                json = orjson.dumps(value)
                values[place] = self.adapters[place].validate_json(json, strict=True)
            except ValidationError as error:
                problems += problems_of(error, name)
        return problems


def record_of(action: Action) -> ActionRecord:
    """Return the record of `action`; the first call makes the record.

    Raises `TypeError` for a function that is no coroutine, or that hides the record of another.
    """
    found: ActionRecord | None = action.__dict__.get("record")
    if found is None:
        if not inspect.iscoroutinefunction(action):
            raise TypeError(f"{action.__qualname__} can't be an action: write it as async def.")
        if _hides_record(action):
            raise TypeError(
                f"{action.__qualname__} hides the @auth, @unpack or @type_check of the function "
                "that it calls: write its decorator with functools.wraps."
            )
        found = action.__dict__["record"] = ActionRecord(action)
    return found


def refuse_unread(kind: type, read: Callable[[str], bool]) -> None:
    """Raise `TypeError` if `kind` has a record under a name for which `read` is false.

    Dispatch reads no such record. An `@auth` there would let everybody in.
    """
    for name, value in vars(kind).items():
        if inspect.isfunction(value) and "record" in vars(value) and not read(name):
            raise TypeError(
                f"{kind.__name__}.{name} is no action, so that its @auth, @unpack or @type_check "
                "would do nothing: take the decorator away."
            )


def _hides_record(action: Action) -> bool:
    """Return whether a function in a closure of `action` has a record."""
    reached: list[Any] = [action]
    for function in reached:  # which grows meanwhile
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # `super()` has an empty cell until its class is made
                inner = cell.cell_contents
                if inspect.isfunction(inner) and inner not in reached:
                    reached.append(inner)
    return any("record" in vars(function) for function in reached)


def _missing(fields: dict[str, Any], values: list[Any]) -> list[InvalidArgument]:
    named = zip(fields, values, strict=True)
    return [MissingField(name) for name, value in named if value is REQUIRED]
