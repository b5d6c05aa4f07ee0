"""The JSON object in a body, with its limits on nesting and on integers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from ..error import MAX_DETAILS, InvalidArgument, InvalidJSON, WrongFieldType, short
from ..validation import INT_TOO_LONG, MAX_DEPTH, fits_64_bits

_FORM = re.compile(rb"[\w.%+-]+=")
_LONG_NUMBER = re.compile(rb"\d{19}")


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; an empty body is an empty object.

    Raises `InvalidJSON`, and `WrongFieldType` for an integer beyond 64 bits, because neither
    MongoDB nor most clients can hold one.
    """
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        form = " It looks like a form: send a JSON object." if _FORM.match(body) else ""
        raise InvalidJSON(f"The body is not JSON: {error}.{form}") from None
    if not isinstance(value, dict):
        raise InvalidJSON("The body must be a JSON object: {...}.")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise _nested_too_deep()
    if _LONG_NUMBER.search(body):
        _refuse_long_integers(body)
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _nested_too_deep() -> InvalidJSON:
    return InvalidJSON(f"The body is nested deeper than {MAX_DEPTH}.")


class _LongInteger:
    """A mark in the place of an integer beyond 64 bits."""


def _refuse_long_integers(body: bytes) -> None:
    # orjson turns such an integer into a float and reports nothing.
    try:
        value = json.loads(body, parse_int=_bounded_integer)
    except RecursionError:  # in a value that orjson dropped for a later field of the same name
        raise _nested_too_deep() from None
    problems = [
        WrongFieldType(path, *INT_TOO_LONG)
        for path in itertools.islice(_paths_of_long_integers(value, ""), MAX_DETAILS)
    ]
    if problems:
        raise InvalidArgument.join(problems)


def _bounded_integer(digits: str) -> int | _LongInteger:
    # Python takes quadratic time to convert digits, and refuses more than 4300.
    if len(digits) > 20 or not fits_64_bits(int(digits)):
        return _LongInteger()
    return int(digits)


def _paths_of_long_integers(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _LongInteger):
        yield path
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in items:
            inner = f"{path}.{key}" if path else str(key)
            yield from _paths_of_long_integers(child, short(inner))
