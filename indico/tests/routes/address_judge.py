"""Judgement of bodies that a client sends as an entry of an address book."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64
MAX_BYTES = 1 << 20
MAX_BODY_BYTES = 2 << 20
MAX_BODY_VALUES = 100_000

KNOWN_FIELDS = ["name", "full_name", "addresses", "phone_numbers", "fax_numbers", "emails"]


@dataclass(frozen=True)
class Judgement:
    """Verdict on a body: may it be accepted, must it be, and the value that it gives."""

    value: Any = None
    may: bool = False
    must: bool = False


REFUSED = Judgement()


def judge(body: bytes, field: str | None = None) -> Judgement:
    """Judge an entry: the whole body, or one field of it."""
    read = judge_json(body)
    if field is not None and read.may:
        read = Judgement(read.value.get(field), True, read.must)
    return judge_entry(read.value, read.must) if read.may else REFUSED


def judge_entry(entry: Any, readable: bool = True) -> Judgement:
    """Judge an entry; `readable` is false where readers could differ on the value."""
    if not (isinstance(entry, dict) and _keys_right(entry) and _depth(entry) <= MAX_DEPTH):
        return REFUSED
    if len(compact(entry)) > MAX_BYTES:
        return REFUSED
    return Judgement(entry, True, readable and entry.keys().isdisjoint(KNOWN_FIELDS))


def judge_json(body: bytes) -> Judgement:
    """Judge an object by RFC 8259 and the server's limits; the last of two equal names counts.

    What stands in the others may be looked at or not.
    """
    if len(body) > MAX_BODY_BYTES:
        return REFUSED
    duplicates = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        duplicates.extend([0] * (len(pairs) - len(made)))
        return made

    try:
        value = json.loads(
            body.decode(), object_pairs_hook=members, parse_constant=_refuse, parse_int=_bounded
        )
        compact(value)
    except (ValueError, RecursionError):
        return REFUSED
    right = isinstance(value, dict) and _depth(value) <= MAX_DEPTH and _numbers_right(value)
    return Judgement(value, True, not duplicates) if right else REFUSED


def compact(value: Any) -> bytes:
    """Raise `ValueError` for half a surrogate pair."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def exact(value: Any) -> str:
    """Return a text that is the same for the same value only, types and order of keys included."""
    return repr(value)


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396); known names keep their place, new names come last."""
    if not isinstance(patch, dict):
        return patch
    old = target if isinstance(target, dict) else {}
    removed = {name for name, value in patch.items() if value is None}
    kept = {
        name: merged(value, patch[name]) if name in patch else value
        for name, value in old.items()
        if name not in removed
    }
    added = [name for name in patch if name not in old and name not in removed]
    return {**kept, **{name: merged(None, patch[name]) for name in added}}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _bounded(digits: str) -> int | float:
    """Return the integer, or infinity for one beyond 64 bits, because no JSON has infinity."""
    number = int(digits[:25])
    return number if -(2**63) <= number < 2**63 else math.inf


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _depth(value: Any) -> int:
    inside = max(map(_depth, _children(value)), default=0)
    return inside + isinstance(value, dict | list)


def _numbers_right(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return all(map(_numbers_right, _children(value)))


def _keys_right(value: Any) -> bool:
    keys = value if isinstance(value, dict) else []
    if any(key == "" or key[0] == "$" or "." in key or "\0" in key for key in keys):
        return False
    return all(map(_keys_right, _children(value)))
