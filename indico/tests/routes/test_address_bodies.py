"""Address books by REST and by actions: any body."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from indico.engine.tests.environment import EXAMPLES
from indico.engine.tests.mongo.round_trip_test import property_settings
from indico.tests.routes.address_bodies import (
    WRONG_KNOWN,
    bodies,
    each_body,
    emails,
    known_entries,
    nested,
    patched,
    wide,
)
from indico.tests.routes.address_books import Answer, Book, BooksTest
from indico.tests.routes.address_judge import (
    MAX_BODY_BYTES,
    MAX_BODY_VALUES,
    MAX_BYTES,
    REFUSED,
    Judgement,
    judge_entry,
    judge_json,
    merged,
)


class BodyTest(BooksTest):
    """Bodies: an accepted one is kept unchanged, and a refused one changes nothing."""

    def setUp(self) -> None:
        super().setUp()
        books = (self.public, self.ada)
        self.there = [(book, book.create(b'{"is":"there"}').id) for book in books]
        self.entries = self.count()

    def judge(self, answer: Answer, judgement: Judgement, body: bytes) -> Judgement:
        refusals = {413} if len(body) > MAX_BODY_BYTES else {400}
        if body.count(b"[") + body.count(b"{") >= MAX_BODY_VALUES:  # more, as a field of a body
            refusals.add(413)
        self.assertTrue(answer.done or answer.status in refusals, answer)
        self.assertTrue(judgement.may or not answer.done, "should be refused")
        self.assertTrue(answer.done or not judgement.must, answer)
        return judgement

    def check_kept(self, book: Book, answer: Answer, entry: Any) -> None:
        self.assert_same(book.get(answer.id), Answer(200, answer.id, answer.version, entry))

    def check_change(
        self, book: Book, before: Answer, answer: Answer, judgement: Judgement
    ) -> None:
        if answer.done:
            self.assertEqual(answer.id, before.id)
            self.assertNotEqual(answer.version, before.version)
            self.check_kept(book, answer, judgement.value)
        else:
            self.assert_same(book.get(before.id), before)

    def check_create(self, entry: bytes) -> None:
        for book in (self.public, self.ada):
            answer = book.create(entry)
            self.entries += answer.done
            self.assertEqual(self.count(), self.entries)
            judgement = self.judge(answer, book.judge(entry), entry)
            if answer.done:
                self.check_kept(book, answer, judgement.value)


class EachBodyTest(BodyTest):
    """Bodies with one wrong value each, of all those in `AnyBodyTest`."""

    covers = False
    seconds = 7

    def test_create(self) -> None:
        for entry in each_body():
            self.check_create(entry)

    def test_known_fields(self) -> None:
        for entry in WRONG_KNOWN:
            self.assertEqual(self.public.create(json.dumps(entry).encode()).status, 400, entry)

    def test_patch_up_to_the_limit(self) -> None:
        book, more = self.public, b',"a":1'
        before = book.get(book.create(wide(MAX_BYTES - len(more))).id)
        for patch, done in ((b'{"aa":1}', False), (b'{"a":1}', True)):
            answer = book.patch(before.id, patch)
            self.assertEqual(answer.status, 200 if done else 400)
            self.check_change(book, before, answer, Judgement({**before.entry, "a": 1}))

    def test_depth_that_a_duplicate_hides(self) -> None:
        for depth in (64, 900, 1000, 1020, 1100):
            body = f'{{"a":{nested(depth, "1")},"a":1234567890123456789}}'
            self.assertIn(self.public.create(body.encode()).status, (201, 400), depth)


class AnyBodyTest(BodyTest):
    varies_with = (EXAMPLES,)
    covers = False
    seconds = 4

    @property_settings(6)
    @given(bodies())
    def test_create(self, entry: bytes) -> None:
        self.check_create(entry)

    @property_settings(6)
    @given(bodies())
    def test_put(self, entry: bytes) -> None:
        for book, address_id in self.there:
            before = book.get(address_id)
            answer = book.put(address_id, entry)
            self.check_change(book, before, answer, self.judge(answer, book.judge(entry), entry))

    @property_settings(6)
    @given(patched())
    def test_patch(self, case: tuple[str, bytes]) -> None:
        entry, patch = case
        before = self.public.get(self.public.create(entry.encode()).id)
        self.assert_same(before.entry, json.loads(entry))
        answer = self.public.patch(before.id, patch)
        read = judge_json(patch)
        expected = judge_entry(merged(before.entry, read.value), read.must) if read.may else REFUSED
        self.check_change(self.public, before, answer, self.judge(answer, expected, patch))
        self.assert_same(answer.entry, expected.value if answer.done else None)

    @property_settings(6)
    @given(known_entries())
    def test_known_fields(self, case: tuple[dict[str, Any], bool]) -> None:
        entry, right = case
        body = json.dumps(entry).encode()
        for book in (self.public, self.ada):
            answer = book.create(body)
            self.judge(answer, Judgement(entry, may=right, must=right), body)
            if right:
                self.check_kept(book, answer, entry)
        if right:
            patched = self.public.patch(self.public.create(body).id, b'{"b":1}')
            self.assert_same(patched.entry, {**entry, "b": 1})

    @property_settings(4)
    @given(emails())
    def test_email(self, email: str) -> None:
        """An email that was accepted is accepted again."""
        entry = {"emails": [{"email": email}]}
        answer = self.public.create(json.dumps(entry).encode())
        self.assertIn(answer.status, (201, 400))
        if answer.done:
            self.assert_same(self.public.patch(answer.id, b'{"a":1}').entry, {**entry, "a": 1})
