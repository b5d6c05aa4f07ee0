"""Messages and replies as bytes, without a connection."""

from __future__ import annotations

import asyncio
import struct
from typing import Any
from unittest import IsolatedAsyncioTestCase, TestCase

import bson
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

from ...mongo.alarm import Alarm
from ...mongo.replies import changed, first_batch, plain, retryable, state_changed, written
from ...mongo.wire import Messages, document, element, embedded, int32, message, sequence

TIME = {"clusterTime": Timestamp(1, 2), "signature": {"hash": bytes(20), "keyId": bson.Int64(1)}}
END = {"ok": 1.0, "$clusterTime": TIME, "operationTime": Timestamp(1, 2)}
DOCUMENTS: list[dict[str, Any]] = [{"_id": n, "text": "x" * n} for n in range(120)]
RAW = [bson.encode(each) for each in DOCUMENTS]


class MessageTest(TestCase):
    def test_a_command_with_a_sequence(self) -> None:
        elements = element("insert", "things") + int32(b"maxTimeMS", 5) + element("$db", "test")
        sent = message(7, elements, sequence(b"documents", RAW))
        length, number, answered, operation, flags, kind = struct.unpack_from("<4iIB", sent)
        self.assertEqual((length, number, answered), (len(sent), 7, 0))
        self.assertEqual((operation, flags, kind), (2013, 0, 0))
        end = 21 + int.from_bytes(sent[21:25], "little")
        self.assertEqual(
            bson.decode(sent[21:end]), {"insert": "things", "maxTimeMS": 5, "$db": "test"}
        )
        self.assertEqual(sent[end], 1)
        self.assertEqual(int.from_bytes(sent[end + 1 : end + 5], "little"), len(sent) - end - 1)
        self.assertEqual(sent[end + 5 :], b"documents\0" + b"".join(RAW))

    def test_documents_in_a_document(self) -> None:
        made = document(embedded(b"a", document(element("b", 1))) + int32(b"c", -1))
        self.assertEqual(bson.decode(made), {"a": {"b": 1}, "c": -1})


class MessagesTest(TestCase):
    """A stream that is cut anywhere."""

    def setUp(self) -> None:
        self.messages = Messages()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        return list(self.messages.feed(data))

    def answer(self, number: int, reply: bytes) -> bytes:
        return struct.pack("<4iIB", 21 + len(reply), 99, number, 2013, 0, 0) + reply

    def test_pieces_of_each_size(self) -> None:
        stream = b"".join(self.answer(n, raw) for n, raw in enumerate(RAW))
        for size in (1, 2, 20, 21, 22, 1000, len(stream)):
            found = []
            for start in range(0, len(stream), size):
                found += self.feed(stream[start : start + size])
            self.assertEqual(found, list(enumerate(RAW)))

    def test_what_no_command_asks_for(self) -> None:
        whole = self.answer(1, RAW[0])
        for position, value in ((12, 2012), (16, 2), (0, 25), (0, 48_000_001), (0, -1)):
            wrong = bytearray(whole)
            struct.pack_into("<i", wrong, position, value)
            with self.subTest(position=position, value=value), self.assertRaises(ProtocolError):
                self.feed(bytes(wrong))


class ReplyTest(TestCase):
    def test_documents(self) -> None:
        for count in (0, 1, 9, 10, 11, 120):
            cursor = {"firstBatch": DOCUMENTS[:count], "id": bson.Int64(count), "ns": "a.b"}
            for fields in ({"cursor": cursor, **END}, {**END, "cursor": cursor}):
                self.assertEqual(first_batch(bson.encode(fields)), (RAW[:count], count))

    def test_a_document_that_looks_like_its_reply(self) -> None:
        inner: dict[str, Any] = {"cursor": {"firstBatch": [{"ok": 1.0}], "id": bson.Int64(9)}}
        reply = {"cursor": {"firstBatch": [{**inner, **END}], "id": bson.Int64(0)}, **END}
        (found,) = first_batch(bson.encode(reply)).documents
        self.assertEqual(bson.decode(found), {**inner, **END})

    def test_an_error_with_documents_is_an_error(self) -> None:
        failed = {"cursor": {"firstBatch": DOCUMENTS[:1], "id": bson.Int64(0)}, "ok": 0.0}
        with self.assertRaises(OperationFailure):
            first_batch(bson.encode({**failed, "errmsg": "no", "code": 1}))

    def test_changed(self) -> None:
        for value in (None, DOCUMENTS[3], {"writeConcernError": 1}, {"ok": 0.0}):
            for first in ({"lastErrorObject": {"n": 1}}, {}):
                found = changed(bson.encode({**first, "value": value, **END}))
                self.assertEqual(None if found is None else bson.decode(found), value)

    def test_written(self) -> None:
        for fields in ({"n": 3}, {"nModified": 1, "n": 3}, {"n": 3, "text": "write"}):
            self.assertEqual(written(bson.encode({**fields, **END})), (3, {}, None))
        problems = [
            {"index": 1, "code": 11000, "errmsg": "E11000", "keyValue": {"a": DatetimeMS(2**60)}},
            {"index": 2, "code": 121, "errmsg": "invalid"},
        ]
        done = written(bson.encode({"n": 1, "writeErrors": problems, **END}))
        kinds = {index: type(error) for index, error in done.refused.items()}
        self.assertEqual((done.number, kinds), (1, {1: DuplicateKeyError, 2: WriteError}))

    def test_write_concern_errors(self) -> None:
        for code, kind in ((64, WTimeoutError), (79, WriteConcernError)):
            late = {"code": code, "errmsg": "late"}
            fields: dict[str, Any] = {"n": 1, "writeConcernError": late, **END}
            self.assertIs(type(written(bson.encode(fields)).concern), kind)
            for first in ({"lastErrorObject": {"n": 1}, "value": {}}, {"value": None}):
                with self.assertRaises(kind):
                    changed(bson.encode({**first, "writeConcernError": late, **END}))
            fields["errorLabels"] = ["RetryableWriteError"]
            with self.assertRaises(kind) as raised:
                written(bson.encode(fields))
            self.assertTrue(retryable(raised.exception, write=True))

    def test_errors(self) -> None:
        for code, kind, read, write, state in (
            (1, OperationFailure, False, False, False),
            (50, ExecutionTimeout, False, False, False),
            (89, OperationFailure, True, False, False),
            (91, NotPrimaryError, True, False, True),
            (10107, NotPrimaryError, True, False, True),
            (11000, DuplicateKeyError, False, False, False),
        ):
            for labels in ([], ["RetryableWriteError"]):
                with self.assertRaises(kind) as raised:
                    plain(bson.encode({"ok": 0.0, "code": code, "errorLabels": labels}))
                error = raised.exception
                with self.subTest(code=code, labels=labels):
                    self.assertIs(type(error), kind)
                    self.assertEqual(retryable(error, write=False), read)
                    self.assertEqual(retryable(error, write=True), write or bool(labels))
                    self.assertEqual(state_changed(error), state)
        self.assertTrue(retryable(AutoReconnect("cut"), write=True))
        self.assertFalse(retryable(ValueError(), write=False))

    def test_a_reply_that_python_cannot_hold(self) -> None:
        fields = {"ok": 0.0, "code": 11000, "errmsg": "\udc80", "a": DatetimeMS(2**60)}
        reply = bson.encode({**fields, "errmsg": "x"}).replace(b"x\0", b"\xff\0")
        with self.assertRaises(DuplicateKeyError):
            plain(reply)


class AlarmTest(IsolatedAsyncioTestCase):
    async def test_it_rings_at_the_earliest_deadline(self) -> None:
        loop = asyncio.get_running_loop()
        rung: asyncio.Queue[float] = asyncio.Queue()
        following = [loop.time() + 0.03, None]

        def ring(now: float) -> float | None:
            rung.put_nowait(now)
            return following.pop(0)

        alarm = Alarm(ring)
        began = loop.time()
        for seconds in (60, 0.01, 30):
            alarm.set(loop.time() + seconds)
        first, second = await rung.get(), await rung.get()
        self.assertLess(first, second)
        self.assertLess(second - began, 25)
        self.assertEqual(following, [])
        alarm.set(loop.time())
        alarm.stop()
        await asyncio.sleep(0)
        self.assertTrue(rung.empty())
