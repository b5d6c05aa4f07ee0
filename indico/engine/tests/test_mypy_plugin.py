"""The faults that mypy finds in code on a typed collection, with the settings of the project."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from secrets import token_hex
from unittest import TestCase

from mypy import api

from .server_process import ENGINE, ROOT

# mypy must find each line that ends with `# wrong`, and no other.
CODE = """
from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from ENGINE.mongo.collection import Collection, Document, IndexModel
from ENGINE.mongo.paging import find_page


class NoteDocument(TypedDict):
    _id: int
    text: str
    stars: NotRequired[int | None]
    tags: list[str]


NOTES = Collection("notes", NoteDocument, IndexModel("stars"))
ANYTHING = Collection("anything", Document)


async def reads() -> None:
    note = await NOTES.find_by_id(1)
    note["text"]  # wrong
    if note:
        note["text"].upper()
        note["txt"]  # wrong
        note["stars"] + 1  # wrong
    (await NOTES.find({}))[0]["txt"]  # wrong
    (await find_page(NOTES, {}, limit=1))[0][0]["txt"]  # wrong
    async with NOTES.watch() as changes:
        async for change in changes:
            change.document["text"]  # wrong


async def inserts() -> None:
    await NOTES.insert({"_id": 1, "text": "x", "tags": []})
    await NOTES.insert({"_id": 1, "text": "x"})  # wrong
    await NOTES.insert({"_id": 1, "text": 5, "tags": []})  # wrong
    await NOTES.insert({"_id": 1, "text": "x", "tags": [], "strs": 1})  # wrong
    await ANYTHING.insert({"text": 5})


async def updates() -> None:
    note = await NOTES.update_by_id(1, {"text": "x"}, inc={"stars": 1}, push={"tags": "a"})
    await NOTES.update_one({}, {"stars": None}, pull={"tags": {"$gt": "a"}}, unset=["stars"])
    await NOTES.update({}, set={}, add_to_set={"tags": "a"})
    made = await NOTES.upsert({"_id": 1}, {"text": "x"}, set_on_insert={"tags": []})
    made["text"].upper()
    note["text"]  # wrong
    made["txt"]  # wrong
    await NOTES.update_by_id(1, {"txt": "x"})  # wrong
    await NOTES.update_by_id(1, {"text": 5})  # wrong
    await NOTES.update_one({}, inc={"text": 1})  # wrong
    await NOTES.update_one({}, inc={"stars": "1"})  # wrong
    await NOTES.update({}, push={"tags": 5})  # wrong
    await NOTES.update({}, push={"stars": 5})  # wrong
    await NOTES.update({}, pull={"tgs": "a"})  # wrong
    await NOTES.update({}, unset=["text"])  # wrong
    await NOTES.update({}, unset=["strs"])  # wrong
    await NOTES.upsert({}, add_to_set={"tags": 5})  # wrong
    await NOTES.upsert({}, set_on_insert={"txt": 5})  # wrong
    await NOTES.update({}, incr={"stars": 5})  # wrong


class NoteChanges(TypedDict, total=False):
    text: str


class WrongChanges(NoteChanges):
    txt: str


class Text(TypedDict):
    text: str


async def updates_by_another_class(
    changes: NoteChanges, text: Text, wrong: WrongChanges
) -> None:
    await NOTES.update({}, text, set_on_insert=text)  # wrong
    await NOTES.upsert({}, text, set_on_insert=text)
    await NOTES.update({}, changes)
    await NOTES.update({}, set=changes, unset=["stars"])
    await NOTES.update({}, inc=changes)  # wrong
    await NOTES.update({}, wrong)  # wrong


async def updates_of_unknown_fields(changes: dict[str, Any], dotted: Any) -> None:
    await NOTES.update({}, dotted)
    await NOTES.update({}, changes)  # wrong
    await ANYTHING.update({}, changes, inc={"a.b": 1}, unset=["c"])
""".replace("ENGINE", ENGINE)


class MypyTest(TestCase):
    def test_it_finds_wrong_fields(self) -> None:
        """One run for all, because a run without mypy's cache takes seconds."""
        with tempfile.TemporaryDirectory(prefix="test-") as folder:
            snippet = Path(folder, "snippet.py")
            # New bytes, because mypy repeats what its cache knows, and asks no plugin.
            snippet.write_text(f"{CODE}# {token_hex(8)}\n")
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(ROOT)
            report, problems, _ = api.run(["--strict", str(snippet)])
        self.assertEqual(problems, "")
        found = {int(line) for line in re.findall(r"snippet\.py:(\d+): error", report)}
        lines = enumerate(CODE.splitlines(), 1)
        wrong = {number for number, line in lines if line.endswith("# wrong")}
        self.assertEqual(found, wrong, report)
        self.assertIn('Unexpected TypedDict key "txt"', report)
