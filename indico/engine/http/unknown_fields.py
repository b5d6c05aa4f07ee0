"""Fields at the top of a body that its action does not know, because a mistyped one must show."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Annotated, Any, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import is_typeddict

from ..error import MAX_DETAILS, InvalidArgument, UnknownField
from ..validation import MAX_SENTENCES

_LONGEST = 64  # the forms of a name take quadratic time, and the client chooses its length


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
    """Return the fields of a whole body, if its type names them; None if it may have any."""
    kind: Any = types[0] if types else None
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if is_typeddict(kind):
        return frozenset(kind.__required_keys__ | kind.__optional_keys__)
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    return _fields_of(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _fields_of(kind: type[BaseModel]) -> AbstractSet[str] | None:
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
    """Return the known name that differs in one letter, in case, or in underscores."""
    if len(name) > _LONGEST:
        return None
    nearby = _nearby(frozenset(known))
    return next((nearby[form] for form in _forms(name) if form in nearby), None)


@functools.cache
def _nearby(known: frozenset[str]) -> Mapping[str, str]:
    """Return the known name of each form, so that a lookup compares no two names."""
    return {form: name for name in sorted(known, reverse=True) for form in _forms(name)}


def _forms(name: str) -> list[str]:
    """Return the plain name, and the plain name without each of its letters.

    Two names share a form if a letter was left out, added, mistaken, or swapped with the next one.
    """
    plain = name.lower().replace("_", "").replace("-", "")
    shorter = [plain[:place] + plain[place + 1 :] for place in range(len(plain))]
    return [plain, *(shorter if len(plain) > 2 else [])]
