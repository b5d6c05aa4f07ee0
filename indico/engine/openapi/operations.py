"""The operations of an API: each action, and each method of another resource, with its facts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from tornado.web import RequestHandler

from ..error import InvalidArgument
from ..http.action import REQUIRED, ActionRecord, record_of
from ..http.action_handler import ActionHandler
from ..http.answer import Undeclared
from ..http.effects import SAFE_TO_REPEAT
from ..http.json_handler import JSONHandler
from ..http.rest_handler import RestHandler
from ..http.route_names import path_template

_METHODS = ("get", "post", "put", "patch", "delete")
_WITH_BODY = ("post", "put", "patch")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Field(NamedTuple):
    """A field of a body or of a query; `default` is `REQUIRED` for a field that may not lack."""

    name: str
    adapter: TypeAdapter[Any]
    default: Any

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


class Operation(NamedTuple):
    """A call that a client can make: `user_update` is POST /user/update, of the resource `user`."""

    name: str
    path: str
    method: str
    handler: type[JSONHandler]
    record: ActionRecord
    parameters: dict[str, TypeAdapter[Any]]

    @property
    def resource(self) -> str:
        return self.path.split("/")[1]

    @property
    def is_rest(self) -> bool:
        return issubclass(self.handler, RestHandler)

    @property
    def in_envelope(self) -> bool:
        return not self.is_rest and "application/json" in self.handler.media_types

    @property
    def takes_body(self) -> bool:
        return self.method in _WITH_BODY

    @property
    def text(self) -> str:
        return inspect.getdoc(self.record.action) or ""

    @property
    def fields(self) -> list[Field]:
        fields = self.record.fields
        if fields is None:
            return []
        adapters = self.record.adapters or [_ANYTHING] * len(fields)
        return [Field(name, a, fields[name]) for name, a in zip(fields, adapters, strict=True)]

    @property
    def effect(self) -> str:
        """The effect of a second call: nothing, nothing more, or the same again."""
        if issubclass(self.handler, ActionHandler):
            return self.record.effect or "not_idempotent"
        if self.method == "get":
            return "read_only"
        return "idempotent" if self.method.upper() in SAFE_TO_REPEAT else "not_idempotent"

    @property
    def takes_key(self) -> bool:
        """True if the call happens once for each `Idempotency-Key`."""
        taken = self.handler.takes_key and self.record.takes_key
        return taken and self.effect != "read_only"

    @property
    def own_reasons(self) -> list[str]:
        """The reasons for which the action itself refuses its fields."""
        kinds = [kind for kind in self.record.raises if issubclass(kind, InvalidArgument)]
        return sorted({reason for kind in kinds for reason in kind.reasons})

    @property
    def body(self) -> TypeAdapter[Any] | None:
        """The type of a whole body without named fields."""
        if not self.record.whole_body:
            return None
        if self.record.adapters:
            return self.record.adapters[0]
        *_, kind = _arguments(self.record.action).values()
        return TypeAdapter(kind)

    @property
    def answer(self) -> TypeAdapter[Any] | None:
        """The type of the answer; None for an answer without a body.

        Only the data of an action can be null: another method has then answered by itself.
        """
        kind = self.record.answer.kind
        if issubclass(self.handler, ActionHandler):
            return self.record.answer.adapter
        parts = get_args(kind) if get_origin(kind) is Annotated else (kind,)
        kinds = [k for k in _members(parts[0]) if k is not NoneType]
        union: Any = Union[tuple(kinds)] if kinds else None  # noqa: UP007
        return union and TypeAdapter(union)

    def refuse_incomplete(self) -> None:
        """Raise `TypeError` for an operation without a docstring or without a typed answer."""
        action = self.record.action.__qualname__
        if not self.text:
            raise TypeError(f"{action} can't be described: write in a docstring what it does.")
        if self.record.answer.kind in (Undeclared, Any):
            raise TypeError(
                f"{action} can't be described: write what it answers as its return annotation, "
                "such as -> User or -> None, of names that exist when the server runs."
            )


def operations(routes: Iterable[Sequence[Any]]) -> Iterator[Operation]:
    """Yield the operations of `routes`: pattern and handler class of each, as the app has them."""
    for pattern, kind, *_ in routes:
        if issubclass(kind, ActionHandler):
            yield from _actions(path_template(pattern), kind)
        elif issubclass(kind, JSONHandler) and kind.described:
            yield from _methods(path_template(pattern), kind)


def _actions(path: str, kind: type[ActionHandler]) -> Iterator[Operation]:
    for name, action in kind.actions.items():
        where = path.replace("{action}", name)
        called = where.strip("/").replace("/", "_")
        yield Operation(called, where, "post", kind, record_of(action), {})


def _methods(path: str, kind: type[JSONHandler]) -> Iterator[Operation]:
    noun = _CAPITAL.sub("_", kind.__name__.removesuffix("Handler")).lower()
    for name in _METHODS:
        method = getattr(kind, name)
        if name.upper() in kind.SUPPORTED_METHODS and method is not getattr(RequestHandler, name):
            action = inspect.unwrap(method)
            record = getattr(method, "record", None) or ActionRecord(action)
            parameters = _parameters(action, path.count("{}"))
            where = path.format(*(f"{{{parameter}}}" for parameter in parameters))
            yield Operation(f"{noun}_{name}", where, name, kind, record, parameters)


def _members(kind: Any) -> Sequence[Any]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else [kind or NoneType]


def _parameters(action: Any, count: int) -> dict[str, TypeAdapter[Any]]:
    """Return the first `count` arguments of a method, which are the groups of its path."""
    arguments = list(_arguments(action).items())[:count]
    return {name: TypeAdapter(kind) for name, kind in arguments}


def _arguments(action: Any) -> dict[str, Any]:
    """Return the arguments after `self` with their types."""
    hints = get_type_hints(action, include_extras=True)
    return {name: hints.get(name, Any) for name in list(inspect.signature(action).parameters)[1:]}
