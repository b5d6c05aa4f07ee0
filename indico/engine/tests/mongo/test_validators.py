"""The validators that `connect` puts on collections."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any, ClassVar, NotRequired
from unittest import TestCase

from pymongo.errors import WriteError
from tornado.testing import gen_test
from typing_extensions import TypedDict

from ...error import ServerError
from ...log import LOGGER
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.driver import mongodb
from ...mongo.refusal import refusal
from ...mongo.validators import Validation, put_validators, validator_of
from ..environment import DRIVER
from ..sample.accounts import USERS
from ..server_test import ServerTest
from .fail_point_test import FailPointTest
from .round_trip_test import ProxiedTest, together


class Pet(TypedDict):
    name: str


class PersonDocument(TypedDict):
    _id: int
    email: str
    age: NotRequired[int | None]
    pets: NotRequired[list[Pet]]


class ValidatorTest(ProxiedTest):
    """`self.people` with the validator that `validation` says."""

    validation: ClassVar[Validation] = "error"

    def setUp(self) -> None:
        super().setUp()
        self.people = Collection("people", PersonDocument, IndexModel("email"))
        Collection.declared.remove(self.people)
        self.run_async(self.put(self.validation))

    async def put(self, validation: Validation) -> list[str]:
        """Put the validator on as a start does, and return the names of the commands for it."""
        commands: list[dict[str, Any]] = []
        self.proxy.commands = commands
        await put_validators([self.people], mongodb, validation)
        self.proxy.commands = None
        names = [next(iter(command)) for command in commands]
        return [name for name in names if name in ("listCollections", "create", "collMod")]

    async def options(self) -> dict[str, Any]:
        found = await (await self.outside[self.database].list_collections()).to_list()
        options: dict[str, Any] = next(e["options"] for e in found if e["name"] == "people")
        return options


class StartTest(ValidatorTest):
    @gen_test
    async def test_a_new_collection(self) -> None:
        self.assertEqual(
            await self.options(),
            {
                "validator": validator_of(self.people),
                "validationLevel": "moderate",
                "validationAction": "error",
            },
        )

    @gen_test
    async def test_the_same_validator_costs_one_question(self) -> None:
        self.assertEqual(await self.put("error"), ["listCollections"])

    @gen_test
    async def test_another_model(self) -> None:
        self.people.model = Pet  # type: ignore[assignment]
        self.assertEqual(await self.put("error"), ["listCollections", "collMod"])
        self.assertEqual((await self.options())["validator"], validator_of(self.people))
        self.assertEqual(await self.put("error"), ["listCollections"])

    @gen_test
    async def test_off_takes_it_away(self) -> None:
        self.assertEqual(await self.put("off"), ["listCollections", "collMod"])
        await self.outside[self.database].people.insert_one({"email": 1})
        self.assertEqual(await self.put("off"), ["listCollections"])

    @gen_test
    async def test_many_processes_at_once(self) -> None:
        await self.outside[self.database].people.drop()
        await asyncio.gather(*(put_validators([self.people], mongodb, "error") for _ in range(20)))
        self.assertEqual((await self.options())["validator"], validator_of(self.people))

    @gen_test
    async def test_without_a_model(self) -> None:
        await put_validators([self.things], mongodb, "error")
        names = await self.outside[self.database].list_collection_names()
        await self.stored.insert_one({"_id": 1, "key": {"any": 1}})
        self.assertIn("things", names)


class RefusedTest(ValidatorTest):
    varies_with = (DRIVER,)

    @gen_test
    async def test_the_error_names_collection_and_fields(self) -> None:
        people: Collection[Any] = self.people  # as code that mypy does not check
        await people.insert({"_id": 1, "email": "ada@example.com"})
        wrong: list[tuple[Coroutine[Any, Any, Any], str]] = [
            (people.insert({"_id": 3, "email": 5}), "email is int, not string"),
            (people.insert({"_id": 3}), "email is missing"),
            (people.update_by_id(1, {"email": 5}), "email is int, not string"),
            (people.update_one({"_id": 1}, unset=["email"]), "email is missing"),
            (
                people.update_by_id(1, push={"pets": {"name": "secret"}}, set={"age": "secret"}),
                "age is string, not int or long or null",
            ),
            (people.update({"_id": 1}, push={"pets": {"nme": "secret"}}), "pets.0.name is missing"),
            (people.upsert({"_id": 2}, {"age": 5}), "email is missing"),
        ]
        for call, why in wrong:
            with self.subTest(why=why), self.assertRaises(ServerError) as raised:
                await call
            text = "".join(traceback.format_exception(raised.exception))
            expected = f"MongoDB refused a document of people: {why}."
            self.assertEqual(raised.exception.message, expected)
            self.assertNotIn("secret", text)
        self.assertEqual(await people.find({}), [{"_id": 1, "email": "ada@example.com"}])

    @gen_test
    async def test_one_of_a_batch(self) -> None:
        people: Collection[Any] = self.people
        inserts = [people.insert({"_id": n, "email": "" if n else None}) for n in range(5)]
        refused, *others = await together(*inserts)
        self.assertIsInstance(refused, ServerError)
        self.assertEqual(others, [1, 2, 3, 4])
        updates = [people.update_by_id(n, {"email": "x" if n > 1 else 5}) for n in range(1, 5)]
        refused, *others = await together(*updates)
        self.assertIn("email is int, not string", str(refused))
        self.assertEqual([each["email"] for each in others], ["x"] * 3)

    @gen_test
    async def test_another_program(self) -> None:
        with self.assertRaises(WriteError):
            await self.outside[self.database].people.insert_one({"email": 1})

    @gen_test
    async def test_a_document_that_was_wrong_before_may_change(self) -> None:
        await self.put("off")
        await self.outside[self.database].people.insert_one({"_id": 1})
        await self.put("error")
        self.assertEqual(await self.people.update_by_id(1, {"age": 5}), {"_id": 1, "age": 5})


class RefusedWithoutLanesTest(RefusedTest):
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": False}


class WarnTest(ValidatorTest):
    validation = "warn"

    @gen_test
    async def test_a_wrong_document_is_stored(self) -> None:
        people: Collection[Any] = self.people
        await people.insert({"_id": 1, "email": 5})
        self.assertEqual((await self.options())["validationAction"], "warn")
        self.assertEqual(await self.put("error"), ["listCollections", "collMod"])
        with self.assertRaises(ServerError):
            await people.insert({"_id": 2, "email": 5})


class SettingTest(ServerTest):
    indexed = (USERS,)
    settings: ClassVar[dict[str, Any]] = {"document_validation": "off"}

    def test_off(self) -> None:
        self.run_async(mongodb.sample_users.insert_one({"email": 5}))
        self.assertEqual(len(self.stored("sample_users")), 1)


class DefaultTest(ServerTest):
    indexed = (USERS,)

    def test_error(self) -> None:
        with self.assertRaises(WriteError):
            self.run_async(mongodb.sample_users.insert_one({"email": 5}))


class RefusalTest(TestCase):
    def test_what_mongodb_tells(self) -> None:
        """Validators of another program, and rules that a model does not make."""
        details: list[tuple[dict[str, Any], str]] = [
            ({}, "MongoDB refused a document: it gives no reason."),
            ({"errInfo": {}}, "MongoDB refused a document: it gives no reason."),
            (
                {"errInfo": {"details": {"operatorName": "$eq", "consideredValue": "secret"}}},
                "MongoDB refused a document: the document breaks $eq.",
            ),
        ]
        for given, text in details:
            self.assertEqual(refusal(given), text)

    def test_a_model_is_needed(self) -> None:
        with self.assertRaisesRegex(TypeError, "needs the class of its documents"):
            Collection("notes", IndexModel("a"))  # type: ignore[arg-type]
        self.assertNotIn("notes", [each.name for each in Collection.declared])

    def test_no_validator_for_any_documents(self) -> None:
        anything = Collection("anything", Document)
        Collection.declared.remove(anything)
        self.assertIsNone(validator_of(anything))


class RightsTest(FailPointTest, ValidatorTest):
    @gen_test
    async def test_a_user_who_may_not_change_collections(self) -> None:
        """The role `readWrite` may create a collection with a validator, and change none."""
        before = await self.options()
        with self.assertLogs(LOGGER, "WARNING") as logs:
            async with self.failing("collMod", errorCode=13):
                await self.put("warn")
        self.assertIn("document_validation has no effect on people", logs.output[0])
        self.assertIn("dbAdmin", logs.output[0])
        self.assertEqual(await self.options(), before)

    @gen_test
    async def test_another_refusal(self) -> None:
        async with self.failing("collMod", errorCode=8):
            with self.assertRaises(ServerError):
                await self.put("warn")
