"""The JSON object in a body, with its limits on values, on nesting and on integers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import orjson

from ..error import (
    MAX_DETAILS,
    APIError,
    InvalidArgument,
    InvalidJSON,
    TooLarge,
    WrongFieldType,
    short,
)
from ..validation import INT_TOO_LONG, MAX_DEPTH, fits_64_bits, refuse

Number = int | float

_FORM = re.compile(rb"[\w.%+-]+=")
_LONGEST_THAT_FITS = 18  # digits; of the integers with one more, only some fit in 64 bits
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# It begins behind a bracket, colon, comma or space, so that no part of a float matches.
_LONG_INTEGER = re.compile(rb"[\[:,\s](-?(?:9\d{18}|\d{20,}+))(?![\d.eE])")


def parse_object(body: bytes, max_values: int) -> dict[str, Any]:
    """Return the JSON object in `body`; an empty body is an empty object.

    Raises `InvalidJSON`, `TooLarge` for more than `max_values`, and `WrongFieldType` for an integer
    beyond 64 bits. Neither MongoDB nor most clients can hold such an integer.
    """
    if len(body) > max_values and _has_more_values(body, max_values):
        raise TooLarge(max_values, "values")
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        form = " It looks like a form: send a JSON object." if _FORM.match(body) else ""
        raise InvalidJSON(f"The body is not JSON: {error}.{form}") from None
    if not isinstance(value, dict):
        raise InvalidJSON("The body must be a JSON object: {...}.")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH}.")
    if b"0" * (_LONGEST_THAT_FITS + 1) in body.translate(_ZEROS):
        _refuse_long_integers(value, body)
    return value


def parsed_or_error(body: bytes, max_values: int) -> dict[str, Any] | APIError:
    """Return what `parse_object` returns or raises, without references to this thread's frames."""
    try:
        return parse_object(body, max_values)
    except APIError as error:
        error.__context__ = None
        return error.with_traceback(None)


def _has_more_values(body: bytes, limit: int) -> bool:
    """Return whether `body` has more than `limit` values, without the cost of parsing them."""
    if _count_values(body) <= limit:
        return False
    body = _without_escapes(body)
    # A value has two strings at most, one of them its key.
    return body.count(b'"') > 4 * limit or _count_values(_outside_strings(body)) > limit


def _count_values(text: bytes) -> int:
    """Return the number of values inside objects and lists; an empty one counts as one more."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _without_escapes(body: bytes) -> bytes:
    """Return `body` without the escapes that would hide the end of a string."""
    return body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body


def _outside_strings(body: bytes) -> bytes:
    """Return the parts of a body without escapes that are outside its strings."""
    return b"".join(body.split(b'"')[::2])


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


def _refuse_long_integers(value: dict[str, Any], body: bytes) -> None:
    numbers = _long_integers(_outside_strings(_without_escapes(body)))
    trails = _trails(value, numbers) if numbers else iter(())
    problems: list[InvalidArgument] = [
        WrongFieldType(".".join(short(str(key)) for key in trail), *INT_TOO_LONG)
        for trail in itertools.islice(trails, MAX_DETAILS)
    ]
    # None if each is in a value that orjson dropped for a later one of the same name.
    refuse(problems)


def _long_integers(text: bytes) -> set[Number]:
    """Return the integers beyond 64 bits, and the floats that orjson makes of most of them."""
    numbers: set[Number] = set()
    for digits in set(_LONG_INTEGER.findall(text)):
        if not fits_64_bits(number := int(digits)):
            numbers.update((number, float(number)))
    return numbers


def _trails(value: dict[str, Any], numbers: set[Number]) -> Iterator[tuple[Any, ...]]:
    """Yield the keys and indexes that lead to each of `numbers`, in the order of the body."""
    keys: list[Any] = []
    inside: list[Iterator[tuple[Any, Any]]] = [iter(value.items())]
    while inside:
        for key, child in inside[-1]:
            kind = type(child)
            if kind is dict or kind is list:
                keys.append(key)
                inside.append(iter(child.items()) if kind is dict else enumerate(child))
                break
            if (kind is int or kind is float) and child in numbers:
                yield *keys, key
        else:
            inside.pop()
            del keys[-1:]
