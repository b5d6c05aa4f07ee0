"""Programs of concurrent callers of a `Collection`, as strategies of hypothesis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, Int64, ObjectId
from hypothesis import strategies as st

from ...mongo.collection import Document
from .model import Call

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456)
# Values that are easily confused: some are equal in MongoDB, some in Python.
FAMILIES: list[list[Any]] = [
    [1, True, 1.0, Int64(1), Decimal128("1"), Decimal("1.0"), "1"],
    [0, False, -0.0, None, "", b""],
    [b"a", Binary(b"a", 0), Binary(b"a", 5), "a"],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": True, "b": 2}, {"a": 1.0, "b": 2}],
    [NOON, NOON.replace(microsecond=123000), NOON.replace(tzinfo=UTC), NOON + timedelta(days=1)],
    [date(2026, 1, 1), "2026-01-01", datetime(2026, 1, 1), Decimal("NaN"), Decimal("0.1"), 0.1],
    [float("nan"), -float("nan"), float("inf"), 1 << 62, float(1 << 62)],
    [ObjectId("0" * 24), "0" * 24, UUID(int=0), Binary(bytes(16), 4)],
]
WRONG_VALUES: list[Any] = ["\ud800", 1 << 64, object(), {1: 1}]
WRONG_IDS: list[Any] = [*WRONG_VALUES, {"$wrong": 1}, ["a"], re.compile("^a$")]
WRONG_FIELDS: list[Document] = [*({"n": wrong} for wrong in WRONG_VALUES), {"a\0": 1}]
WRONG_CHANGES: list[Document] = [*WRONG_FIELDS, {"": 1}, {"by.x": 1}, {"_id": "another"}]
CHANGES: list[Document] = [{"n": 0}, {"n": 0, "z": {"b": [1]}, "a": 1}, {"a": 1}, {"a": 2}, {}]
# A placeholder for a value that no other document has; `Referee` fills it in.
UNIQUE = "unique"
METHODS = [
    *("insert", "insert", "insert", "find_by_id", "find_by_id", "find_one", "find"),
    *("update_by_id", "update_by_id", "update_by_id", "update_one", "delete_by_id", "delete"),
]


@dataclass
class Caller:
    """A caller that makes its calls one after the other.

    `starts` and `cancelled` count turns of the event loop. A caller from `outside` has a client
    of its own, like another process.
    """

    calls: list[Call]
    starts: int = 0
    cancelled: int | None = None
    outside: bool = False


Round = list[Caller]


@st.composite
def programs(draw: st.DrawFn, with_many: bool = True) -> list[Round]:
    """Draw rounds of callers for the same few documents; after each round all are read.

    `with_many` adds rounds with one call for many documents.
    """
    values = draw(st.sampled_from(FAMILIES)) + draw(st.sampled_from(FAMILIES))
    arrays = [[], [None], *([value, "other"] for value in values)]
    ids = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    keys = draw(st.lists(st.sampled_from(values + arrays), min_size=1, max_size=4))
    reading = [
        *(Caller([Call("find_by_id", (one,))]) for one in ids),
        *(Caller([Call("find_one", ({"key": key},))]) for key in keys),
    ]
    keyed = zip(ids, keys, strict=False)
    seed = [Caller([_insert({"_id": own, "key": key})]) for own, key in keyed]
    ids_often_one = _mostly(ids[:1] * 3 + ids, WRONG_IDS)
    callers = _callers(_calls(ids_often_one, _mostly(keys, WRONG_VALUES)))
    alone = _alone(ids, keys).map(lambda call: [Caller([call])])
    rounds = st.lists(callers, min_size=2, max_size=5)
    several = rounds | alone if with_many else rounds
    played = draw(st.lists(several, min_size=1, max_size=4))
    return [each for one in [seed, *played] for each in (one, reading)]


def _callers(calls: st.SearchStrategy[Call]) -> st.SearchStrategy[Caller]:
    turns = [1, 2, 3, 5, 10, 30, 100, 300]
    several = st.lists(calls, min_size=1, max_size=3)
    starts = st.sampled_from([0] * 8 + turns)
    cancelled = st.sampled_from([None] * 24 + [0] + turns)
    inside = st.builds(Caller, several, starts, cancelled)
    outside = st.builds(Caller, several, starts, outside=st.just(True))
    return st.sampled_from([inside] * 5 + [outside]).flatmap(lambda caller: caller)


@st.composite
def _calls(draw: st.DrawFn, ids: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> Call:
    """Draw a call for at most one document: by its id, its unique key, or both."""
    method = draw(st.sampled_from(METHODS))
    own, key = draw(ids), draw(keys)
    match method:
        case "insert":
            key = draw(st.sampled_from([UNIQUE, UNIQUE, key]))
            fields = draw(_mostly([{}], WRONG_FIELDS))
            names = draw(st.sampled_from([("_id", "key"), ("_id", "key"), ("_id",), ("key",)]))
            given = {name: {"_id": own, "key": key}[name] for name in names}
            return _insert({**given, **fields})
        case "find_by_id" | "delete_by_id":
            return Call(method, (own,))
        case "update_by_id":
            return Call(method, (own, draw(_changes(keys))))
    query = draw(
        st.sampled_from([{"key": key}, {"key": key}, {"_id": own}, {"_id": own, "key": key}])
    )
    return Call(method, (query, draw(_changes(keys))) if method == "update_one" else (query,))


def _insert(fields: Document) -> Call:
    return Call("insert", ({"deep": {"list": [1, {}]}, **fields},))


def _changes(keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    with_key = st.builds(lambda key: {"n": 0, "key": key}, keys)
    return _mostly(CHANGES, WRONG_CHANGES) | with_key


def _alone(ids: list[Any], keys: list[Any]) -> st.SearchStrategy[Call]:
    """Return calls for several documents, which MongoDB does not handle at one moment."""
    queries: list[Document] = [{}, {"_id": {"$in": ids}}, {"key": {"$in": keys}}]
    return st.builds(
        lambda method, query: Call(method, (query,)),
        st.sampled_from(["find", "find_one", "delete"]),
        st.sampled_from(queries),
    )


def _mostly(good: list[Any], wrong: list[Any]) -> st.SearchStrategy[Any]:
    """Return values of `good`, and in one case of ten one of `wrong`."""
    few = st.sampled_from([good] * 9 + [wrong])
    return few.flatmap(st.sampled_from)
