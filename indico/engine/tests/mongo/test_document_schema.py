"""The schema of a model, as MongoDB itself judges documents by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, Required
from unittest import TestCase
from uuid import UUID

from annotated_types import Len
from pydantic import Field, JsonValue, StringConstraints
from pymongo import MongoClient
from typing_extensions import TypeAliasType, TypedDict

from ...mongo.bson_types import TYPES
from ...mongo.document_schema import document_schema
from ...mongo.driver import ObjectId
from ..server_test import mongodb_uri, test_database

Name = NewType("Name", str)
Names = TypeAliasType("Names", list[Name])


class Author(TypedDict, total=False):
    name: Required[str]
    born: int


class Common(TypedDict):
    text: str


class AllTypes(Common):
    """A field of each kind."""

    whole: int
    number: float
    flag: bool
    raw: bytes
    id: ObjectId
    uuid: UUID
    price: Decimal
    time: datetime
    day: date
    maybe: str | None
    late: NotRequired[Annotated[str, "a word"]]
    kind: Literal["a", "b", 3]
    kinds: Literal["a"] | None
    author: Author
    authors: list[Author]
    names: Names
    numbers: Mapping[str, int]
    anything: Any
    anything_or_none: Any | None
    item: dict[str, JsonValue]
    rows: Sequence[list[int] | None]
    plain_list: list  # type: ignore[type-arg]
    plain_dict: dict  # type: ignore[type-arg]
    age: Annotated[int, Field(ge=0, lt=150)]
    share: Annotated[float, Field(gt=0, le=1)]
    code: Annotated[str, StringConstraints(pattern="^[a-z]+$", min_length=2, max_length=3)]
    few: Annotated[list[str], Len(1, 2)]
    since: Annotated[datetime, Field(ge=datetime(2000, 1, 1))]


RIGHT: dict[str, Any] = {
    "text": "x",
    "whole": 1 << 40,
    "number": 1.5,
    "flag": True,
    "raw": b"x",
    "id": ObjectId(),
    "uuid": UUID(int=1),
    "price": Decimal("1.5"),
    "time": datetime.now(UTC),
    "day": date(2026, 1, 31),
    "maybe": None,
    "kind": "a",
    "kinds": None,
    "author": {"name": "Ada"},
    "authors": [{"name": "Ada", "born": 1815}],
    "names": ["Ada"],
    "numbers": {"a": 1},
    "anything": None,
    "anything_or_none": 5,
    "item": {"a": [1, None]},
    "rows": [[1], None],
    "plain_list": [1, "a"],
    "plain_dict": {"a": 1},
    "age": 0,
    "share": 1,
    "code": "ab",
    "few": ["a"],
    "since": datetime(1999, 1, 1),
    "a field of newer code": 1,
}
WRONG: list[dict[str, Any]] = [
    *({name: object_} for name, object_ in {"text": 1, "whole": 1.5, "number": "1"}.items()),
    *({"flag": wrong} for wrong in (0, None)),
    *({"raw": "x"}, {"id": "x"}, {"uuid": "x"}, {"price": 1.5}, {"time": "2026"}),
    *({"day": "31.1.2026"}, {"maybe": 1}, {"late": None}, {"kind": "c"}, {"kinds": "b"}),
    *({"author": {}}, {"author": {"name": "Ada", "born": "x"}}, {"authors": [{"name": 1}]}),
    *({"names": [1]}, {"numbers": {"a": "x"}}, {"item": []}, {"rows": [[1], ["x"]]}),
    *({"plain_list": {}}, {"plain_dict": []}, {"age": -1}, {"age": 150}, {"share": 0}),
    *({"share": 1.5}, {"code": "a"}, {"code": "abcd"}, {"code": "A1"}, {"few": []}),
    *({"few": ["a", "b", "c"]}, {"text": None}),
]


class SchemaTest(TestCase):
    integration = True

    def setUp(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(
            mongodb_uri(), type_registry=TYPES, uuidRepresentation="standard"
        )
        self.addCleanup(client.close)
        self.things = client[test_database(self)].things
        self.addCleanup(self.things.drop)

    def test_as_mongodb_judges(self) -> None:
        required = [name for name in AllTypes.__annotations__ if name != "late"]
        missing = [{k: v for k, v in RIGHT.items() if k != name} for name in required]
        right = [RIGHT, {**RIGHT, "late": "x"}, {**RIGHT, "kind": 3, "kinds": "a", "anything": [1]}]
        wrong = [*({**RIGHT, **each} for each in WRONG), *missing]
        self.things.insert_many([{**each, "_id": n} for n, each in enumerate([*right, *wrong])])
        schema = {"$jsonSchema": document_schema("things", AllTypes)}
        found = [each["_id"] for each in self.things.find(schema, {"_id": 1})]
        self.assertEqual(found, [*range(len(right))])


class Inner(TypedDict):
    tags: set[str]


class Outer(TypedDict):
    inner: list[Inner]


class Nothing(TypedDict, total=False):
    a: int


class ModelTest(TestCase):
    def test_a_type_that_mongodb_has_not(self) -> None:
        with self.assertRaisesRegex(TypeError, r"things\.inner\.tags: MongoDB has no type for set"):
            document_schema("things", Outer)

    def test_without_a_required_field(self) -> None:
        self.assertNotIn("required", document_schema("things", Nothing))
