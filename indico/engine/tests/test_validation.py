"""The schemas of types with reasons and with descriptions."""

from __future__ import annotations

from typing import Annotated, Any
from unittest import TestCase

from pydantic import AfterValidator, BaseModel, TypeAdapter

from ..validation import Described, Reasons


class Entry(BaseModel):
    name: str


class SchemaTest(TestCase):
    def test_reasons(self) -> None:
        email = TypeAdapter(Annotated[str, AfterValidator(str.lower), Reasons("email", "domain")])
        shown = {"type": "string", "x-reasons": ["email", "domain"]}
        self.assertEqual(email.json_schema(), shown)
        self.assertEqual(email.validate_python("A@B"), "a@b")

    def test_described(self) -> None:
        """The document shows the model, and the value stays what it is."""
        entry = TypeAdapter(Annotated[dict[str, Any], Described(Entry)])
        self.assertEqual(entry.json_schema(), TypeAdapter(Entry).json_schema())
        self.assertEqual(entry.validate_python({"other": 1}), {"other": 1})
