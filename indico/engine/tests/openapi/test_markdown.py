"""The API's document as a page in Markdown."""

from __future__ import annotations

from unittest import TestCase

from ...error import InvalidArgument
from ...http.action_handler import ActionHandler
from ...http.decorators import raises, type_check, unpack
from ...openapi.markdown import page, type_text
from .test_document import THING, THINGS, document_of


class WrongSum(InvalidArgument):
    reasons = ("sum",)


class CountHandler(ActionHandler):
    """Counts."""

    @type_check(dict[str, int])
    async def store(self, counts: dict[str, int]) -> None:
        """Store a body without named fields."""

    @unpack("parts")
    @type_check(list[int])
    @raises(WrongSum)
    async def add(self, parts: list[int]) -> None:
        """Refuse parts for a reason of its own."""


class PageTest(TestCase):
    def test_page(self) -> None:
        text = page(document_of(THING, THINGS))
        for part in (
            "\n## /thing\n\nThings.\n\n### POST /thing/make\n\nMake things of one kind.\n",
            "\nNeeds a token; read only.\n",
            "\n| `limit` | number, from 1 | optional, 2 |\n",
            "\n| `thing` | [Thing](#thing) |  |\n",
            "\n- 201: list of [Thing](#thing)\n",
            "\n- 409: `conflict` with `taken`\n",
            "\n- 429: `rate_limited`\n",
            "\n**Deprecated.** Do nothing.\n",
            "\n### GET /things/{thing_id}/parts/{part}\n",
            "\n- 304: The client has this version already\n",
            "\n### Thing\n",
        ):
            self.assertIn(part, text)
        self.assertNotIn("`internal` with", text)
        self.assertFalse(any(len(line) > 120 for line in text.splitlines() if line[:1] != "|"))

    def test_bodies(self) -> None:
        document = document_of((r"/count/(?P<action>[a-z]+)", CountHandler))
        self.assertIn("\nThe body is: object of integer.\n", page(document))
        body = document["paths"]["/count/add"]["post"]["requestBody"]["content"]
        self.assertEqual(body["application/json"]["schema"]["x-reasons"], ["sum"])

    def test_types(self) -> None:
        for schema, text in (
            ({}, "any value"),
            ({"type": "string", "maxLength": 5}, "string, up to 5 characters"),
            ({"type": "string", "minLength": 2, "maxLength": 5}, "string, 2 to 5 characters"),
            ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, "integer"),
            ({"type": "string", "format": "date"}, "date"),
            ({"enum": ["a", 1]}, '`"a"` or `1`'),
            ({"anyOf": [{"type": "null"}, {"const": "a"}]}, 'null or `"a"`'),
            ({"type": "array", "items": {}, "maxItems": 3}, "list of any value, up to 3"),
            ({"type": "object", "additionalProperties": {"type": "null"}}, "object of null"),
            ({"type": "object", "patternProperties": {"a": {}}}, "object of any value"),
            ({"type": "object", "properties": {}, "additionalProperties": {}}, "object"),
        ):
            self.assertEqual(type_text(schema), text)
