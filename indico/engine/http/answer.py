"""The answer of an action as its return annotation declares it: a type, and a status."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ..error import ServerError
from ..log import LOGGER
from ..validation import problems_of

T = TypeVar("T")


class Status(NamedTuple):
    """The HTTP status of an answer: `-> Annotated[Job, Status(202)]`. Without it, 200."""

    code: int


# The answer of an action that makes something, with status 201: `-> Created[Note]`.
Created = Annotated[T, Status(201)]


class Undeclared:
    """The type of an answer without an annotation, or with one that can't be resolved."""


@dataclass(frozen=True)
class Answer:
    """The answer of an action: data of the type `kind`, with `status`."""

    kind: Any = Undeclared
    status: int = 200

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.kind)

    def check(self, action: str, data: Any, status: int) -> None:
        """Raise `ServerError`, and log each wrong field with its path, if the answer is another."""
        if self.kind not in (Undeclared, Any) and (wrong := self._problem(data, status)):
            message = f"{action} answered what its return annotation doesn't allow: {wrong}"
            LOGGER.critical(message)
            raise ServerError(message)

    def _problem(self, data: Any, status: int) -> str:
        if status != self.status:
            return f"status {status} instead of {self.status}."
        try:
            self.adapter.validate_python(data, strict=True, extra="forbid")
        except ValidationError as error:
            return " ".join(problem.message for problem in problems_of(error, "data"))
        return ""


def answer_of(action: Callable[..., Any]) -> Answer:
    """Return what the return annotation of `action` declares."""
    annotations = {k: v for k, v in action.__annotations__.items() if k == "return"}
    alone = types.SimpleNamespace(__annotations__=annotations)
    try:
        names = inspect.unwrap(action).__globals__  # `@transaction` is of another module
        hints = get_type_hints(alone, names, include_extras=True)
    except NameError:  # such as a name that is imported for type checkers only
        return Answer()
    kind, status = hints.get("return", Undeclared), 200
    if get_origin(kind) is Annotated:
        codes = [part.code for part in get_args(kind)[1:] if isinstance(part, Status)]
        status = codes[0] if codes else status
    return Answer(kind, status)
