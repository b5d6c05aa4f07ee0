"""Fields at the top of a body that its action does not know, because a mistyped one must show."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

from ..error import MAX_DETAILS, MAX_SENTENCES, InvalidArgument, UnknownField

_LONGEST = 64  # comparing two names takes quadratic time, and the client chooses their length


def unknown_fields(body: Mapping[str, Any], known: AbstractSet[str]) -> list[InvalidArgument]:
    """Return an error for each field of `body` that is not `known`; `body` must have one.

    Problems beyond `MAX_DETAILS` are only counted. The nearest name is looked up for the first
    problems, which the sentence for a person has.
    """
    names = islice((name for name in body if name not in known), MAX_DETAILS)
    problems: list[InvalidArgument] = [
        UnknownField(name, _nearest(name, known) if place < MAX_SENTENCES else None)
        for place, name in enumerate(names)
    ]
    right = sum(name in body for name in known)
    problems[-1].followers = len(body) - right - len(problems)
    return problems


def known_fields(types: Sequence[Any]) -> AbstractSet[str] | None:
    """Return the fields of a whole body, if its type is a model; None if it may have any."""
    kind = types[0] if types else None
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None
    if kind.model_config.get("extra") == "allow":
        return None
    by_name = any(kind.model_config.get(key) for key in ("populate_by_name", "validate_by_name"))
    names: set[str] = set()
    for name, field in kind.model_fields.items():
        aliases = _aliases(field)
        names |= aliases | ({name} if by_name or not aliases else set())
    return frozenset(names)


def _aliases(field: FieldInfo) -> set[str]:
    """Return the names at the top of the body under which a model's field is found."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []
    return {str(each.path[0] if isinstance(each, AliasPath) else each) for each in choices}


def _nearest(name: str, known: AbstractSet[str]) -> str | None:
    near = difflib.get_close_matches(name, known, 1) if len(name) <= _LONGEST else []
    return near[0] if near else None
