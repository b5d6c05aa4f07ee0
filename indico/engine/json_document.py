"""JSON documents with fields that the code does not know, which MongoDB gives back unchanged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from .error import MAX_DETAILS
from .validation import INT_TOO_LONG, MAX_DEPTH, fits_64_bits

MAX_BYTES = 1 << 20
# Checking this many takes 50 ms; a mebibyte could hold ten times as many.
MAX_VALUES = 50_000
# The `reason`s that `check_document` gives.
DOCUMENT_REASONS = ("key", "too_many", "too_deep", "too_large", "not_json", "int_too_long")

# The path of a value: the trail of its container, and its key or index in the container.
_Trail = tuple[Any, ...]

_UNFAITHFUL_KEY = re.compile(r"\A\$|[.\0]|\A\Z")
_NEVER_WRONG = {str, bool, type(None)}


def check_document(document: dict[str, Any]) -> None:
    """Raise pydantic's `ValidationError` for each value that MongoDB or JSON would change.

    A document has at most `MAX_BYTES` of compact JSON, `MAX_DEPTH` levels and `MAX_VALUES`.

        Entry = Annotated[dict[str, Any], AfterValidator(_check), Reasons(*DOCUMENT_REASONS)]
    """
    errors = []
    for trail, why, reason in _unfaithful(document):
        errors.append(_error(why, reason, trail))
        if len(errors) == MAX_DETAILS:
            break
    if errors or (errors := _too_large(document)):
        raise ValidationError.from_exception_data("document", errors)


def size_of(document: dict[str, Any]) -> int:
    """Return the bytes of a document as JSON; of a wrong document, more than any."""
    try:
        return len(orjson.dumps(document))
    except TypeError:
        return MAX_BYTES + 1


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the patched value: null deletes a field, an object is merged, all else replaces.

    The rules are those of RFC 7396, section 2.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _unfaithful(document: dict[str, Any]) -> Iterator[tuple[_Trail, str, str]]:
    """Yield trail, why and reason of each value that MongoDB or JSON would change."""
    level: list[tuple[_Trail, Any]] = [((), document)]
    count = 0
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[_Trail, Any]] = []
        for trail, container in level:
            count += len(container)
            if count > MAX_VALUES:
                yield (), f"it has more than {MAX_VALUES} values", "too_many"
                return
            pairs = container.items() if isinstance(container, dict) else enumerate(container)
            for key, value in pairs:
                if isinstance(key, str) and _UNFAITHFUL_KEY.search(key):
                    why = "a key must not be empty, begin with $, or contain a dot or NUL"
                    yield (trail, key), why, "key"
                kind = type(value)
                if kind is dict or kind is list:
                    deeper.append(((trail, key), value))
                elif kind not in _NEVER_WRONG and (wrong := _wrong_value(value)):
                    yield (trail, key), *wrong
        level = deeper
    if level:
        yield level[0][0], f"it is nested deeper than {MAX_DEPTH}", "too_deep"


def _wrong_value(value: Any) -> tuple[str, str] | None:
    if isinstance(value, int):
        return None if fits_64_bits(value) else INT_TOO_LONG
    if isinstance(value, float) and math.isfinite(value):
        return None
    return "JSON has no such value", "not_json"


def _too_large(document: dict[str, Any]) -> list[InitErrorDetails]:
    try:
        size = len(orjson.dumps(document))
    except TypeError as error:  # half a surrogate pair, or a key that isn't text
        return [_error(f"JSON has no such value ({error})", "not_json")]
    if size <= MAX_BYTES:
        return []
    return [_error(f"it has {size} bytes, over the limit of {MAX_BYTES}", "too_large")]


def _error(why: str, reason: str, trail: _Trail = ()) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(reason, why), loc=_keys(trail), input=None)


def _keys(trail: _Trail) -> tuple[int | str, ...]:
    keys: list[int | str] = []
    while trail:
        trail, key = trail
        keys.append(key)
    return tuple(reversed(keys))
