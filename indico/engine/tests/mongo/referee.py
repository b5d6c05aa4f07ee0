"""`Referee` runs concurrent callers of a `Collection`, and judges their answers."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Iterable
from typing import Any

from bson import CodecOptions, ObjectId
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from ...error import Duplicate, ServerError
from ...mongo.collection import Collection
from .linearizability import NEVER, Record, explain
from .model import Call, State, decode, outcome
from .programs import UNIQUE, Caller, Round

RAW = CodecOptions(document_class=RawBSONDocument)


class Referee:
    """A judge of the collection `things`, which is empty; `outside` is another client's view."""

    def __init__(self, things: Collection[Any], outside: Any) -> None:
        self._things = things
        self._outside = outside
        self._clock = itertools.count(1)
        self._state = State()
        self._left = {frozenset[Record]()}
        self._errors: list[Exception] = []

    @property
    def is_settled(self) -> bool:
        """Return whether the effect of every call is known."""
        return self._left == {frozenset()}

    async def judge(self, callers: Round, seconds: float = 15, faults: bool = False) -> None:
        """Play a round. Raises AssertionError if no order of the calls explains the answers.

        No caller may wait longer than `seconds`. With `faults` a call may raise `Unavailable`.
        """
        records = await self._play(callers, seconds)
        for record in records:
            if faults and record.outcome == "Unavailable":
                record.end = NEVER
        documents = await self._outside.with_options(RAW).find().to_list()
        after = frozenset(document.raw for document in documents)
        _name(itertools.chain(records, *self._left), after)
        telling = {r for r in records if r.end < NEVER or not r.call.method.startswith("find")}
        explanations = [explain(self._state, telling | left, after) for left in self._left]
        self._left = set().union(*explanations)
        assert self._left, _story(self._state, records, after)
        self._state = after

    async def _play(self, callers: Round, seconds: float) -> list[Record]:
        records: list[Record] = []
        tasks = [asyncio.create_task(self._act(caller, records)) for caller in callers]
        cancelled = set()
        for turn in range(max(caller.cancelled or 0 for caller in callers) + 1):
            for caller, task in zip(callers, tasks, strict=True):
                if caller.cancelled == turn and task.cancel():
                    cancelled.add(task)
            await asyncio.sleep(0)
        _, waiting = await asyncio.wait(tasks, timeout=seconds)
        assert not waiting, f"{len(waiting)} callers still wait after {seconds} s"
        assert {task for task in tasks if task.cancelled()} == cancelled
        for task in set(tasks) - cancelled:
            task.result()
        return records

    async def _act(self, caller: Caller, records: list[Record]) -> None:
        for _ in range(caller.starts):
            await asyncio.sleep(0)
        for call in caller.calls:
            record = _begun(call, next(self._clock))
            records.append(record)
            arguments = copy.deepcopy(record.call.arguments)
            if record.is_unnamed:
                del arguments[0]["_id"]
            answer = await self._answer(record.call.method, arguments, caller.outside)
            record.end, record.outcome = next(self._clock), outcome(answer)
            if call.method == "insert" and not isinstance(answer, Exception):
                record.call.document["_id"] = copy.deepcopy(answer)
                assert outcome(arguments[0]["_id"]) == record.outcome
            _spoil([answer, arguments])

    async def _answer(self, method: str, arguments: Any, outside: bool) -> Any:
        if outside:
            return await _directly(self._outside, method, arguments)
        try:
            return await getattr(self._things, method)(*arguments)
        except Exception as error:
            assert not any(error is other for other in self._errors), "an error is shared"
            self._errors.append(error)
            return error


async def _directly(collection: Any, method: str, arguments: Any) -> Any:
    """Return what the method of `Collection` answers, or the error that it raises."""
    query, *changes = arguments
    if method.endswith("_by_id"):
        query = {"_id": query}
    try:
        if method == "insert":
            return (await collection.insert_one(query)).inserted_id
        if method == "find":
            return await collection.find(query).to_list()
        if method.startswith("find"):
            return await collection.find_one(query)
        if method.startswith("update"):
            return await collection.find_one_and_update(
                query, {"$set": changes[0]}, return_document=ReturnDocument.AFTER
            )
        count = (await collection.delete_many(query)).deleted_count
        return count > 0 if method == "delete_by_id" else count
    except DuplicateKeyError:
        return Duplicate("", ())
    except (BSONError, PyMongoError, OverflowError, UnicodeEncodeError):
        return ServerError()


def _begun(call: Call, now: int) -> Record:
    """Return a copy of `call` with values that no other call has."""
    record = Record(copy.deepcopy(call), now)
    fields = record.call.document
    if call.method == "insert":
        record.is_unnamed = "_id" not in fields
        fields["_id"] = fields.get("_id", ObjectId())
        fields["by"] = now
    if fields.get("key") == UNIQUE:
        fields["key"] = f"{UNIQUE} {now}"
    if fields.get("n") == 0:
        fields["n"] = now
    return record


def _name(records: Iterable[Record], after: State) -> None:
    """Give each document that was inserted without an id the id that it got."""
    made = [*records]
    unnamed: dict[Any, Record] = {record.start: record for record in made if record.is_unnamed}
    seen = (document for record in made for document in _documents(record.outcome))
    for fields in map(decode, itertools.chain(after, seen)):
        if record := unnamed.get(fields.get("by")):
            record.call.document["_id"] = fields["_id"]


def _documents(answer: Any) -> Iterable[bytes]:
    """Return the documents in the outcome of a call."""
    if isinstance(answer, bytes):
        return (answer,)
    return answer if isinstance(answer, frozenset) else ()


def _spoil(value: Any) -> None:
    """Change everything in a caller's objects, because no other caller may share them."""
    if isinstance(value, dict):
        _spoil(list(value.values()))
        value["spoilt"] = True
    elif isinstance(value, list | tuple):
        for item in value:
            _spoil(item)
    if isinstance(value, list):
        value.append("spoilt")


def _story(before: State, records: Iterable[Record], after: State) -> str:
    lines = [f"before  {decode(raw)}" for raw in before]
    for record in records:
        answer = decode(record.outcome) if isinstance(record.outcome, bytes) else record.outcome
        times = f"{record.start}-{record.end}"
        lines.append(f"{times}  {record.call.method}{record.call.arguments} -> {answer}")
    return "\n".join(["No order explains:", *lines, *(f"after   {decode(raw)}" for raw in after)])
