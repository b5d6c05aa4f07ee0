from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import sys
from typing import Any
from unittest import TestCase

from .. import log
from ..log import LOGGER, REQUEST, JSONFormatter, TextFormatter, _Handler


def written(formatter: logging.Formatter, message: str, *args: Any, **kwargs: Any) -> str:
    """Return the line that a logger writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("sample")
    logger.addHandler(handler)
    logger.error(message, *args, **kwargs)
    return stream.getvalue()


class TextTest(TestCase):
    def test_valid(self) -> None:
        line = written(TextFormatter(), "%s done", "GET /", extra={"fields": {"a": 1}})
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ERROR GET / done\n$")

    def test_nothing_forges_a_line_or_drives_a_terminal(self) -> None:
        line = written(TextFormatter(), "a\nb\x1b[31m\u202e\x85")
        self.assertTrue(line.endswith("ERROR a\\nb\\x1b[31m\\u202e\\x85\n"), line)

    def test_traceback(self) -> None:
        try:
            raise ValueError("why")
        except ValueError:
            text = written(TextFormatter(), "failed", exc_info=True)
        self.assertIn("ERROR failed\nTraceback", text)
        self.assertIn("ValueError: why", text)


class JSONTest(TestCase):
    def test_valid(self) -> None:
        text = written(JSONFormatter("sample"), "a\n%s", "b", extra={"fields": {"status": 200}})
        self.assertEqual(text.count("\n"), 1)
        line = json.loads(text)
        self.assertEqual(line["message"], "a\nb")
        self.assertEqual((line["level"], line["logger"]), ("ERROR", "sample"))
        self.assertEqual(line["status"], 200)
        self.assertNotIn("traceback", line)

    def test_traceback(self) -> None:
        try:
            raise ValueError("why")
        except ValueError:
            text = written(JSONFormatter("sample"), "failed", exc_info=sys.exc_info())
        self.assertEqual(text.count("\n"), 1)
        self.assertIn("ValueError: why", json.loads(text)["traceback"])


class RequestTest(TestCase):
    """Lines that are written while a request is handled."""

    def while_handled(self, formatter: logging.Formatter, about: Any, **kwargs: Any) -> str:
        def write() -> str:
            REQUEST.set(about)
            return written(formatter, "here", **kwargs)

        return contextvars.copy_context().run(write)

    def test_text(self) -> None:
        line = self.while_handled(TextFormatter(), {"request_id": "a"})
        self.assertTrue(line.endswith("ERROR here id=a\n"), line)
        line = self.while_handled(TextFormatter(), {"request_id": "a", "trace_id": "b"})
        self.assertTrue(line.endswith("ERROR here id=a trace=b\n"), line)

    def test_text_that_has_it_already(self) -> None:
        fields = {"fields": {"request_id": "a"}}
        about = {"request_id": "a", "trace_id": "b"}
        line = self.while_handled(TextFormatter(), about, extra=fields)
        self.assertTrue(line.endswith("ERROR here trace=b\n"), line)

    def test_json(self) -> None:
        about = {"request_id": "a", "trace_id": "b"}
        line = json.loads(self.while_handled(JSONFormatter("sample"), about))
        self.assertEqual((line["request_id"], line["trace_id"]), ("a", "b"))

    def test_none(self) -> None:
        self.assertNotIn(
            "request_id", json.loads(self.while_handled(JSONFormatter("sample"), None))
        )


class HandlerTest(TestCase):
    def setUp(self) -> None:
        self.stream = io.StringIO()
        self.handler = _Handler()
        self.handler.setStream(self.stream)
        LOGGER.addHandler(self.handler)
        self.addCleanup(LOGGER.removeHandler, self.handler)
        self.addCleanup(LOGGER.setLevel, LOGGER.level)
        LOGGER.setLevel(logging.INFO)

    def test_lines_of_requests_are_written_once_in_a_turn(self) -> None:
        async def two() -> None:
            log.info(("one", {}))
            log.info(("two", {}), ("three", {}))
            self.assertEqual(self.stream.getvalue(), "")
            await asyncio.sleep(0)
            self.assertEqual(self.stream.getvalue(), "one\ntwo\nthree\n")
            log.info(("four", {}))
            await asyncio.sleep(0)

        asyncio.run(two())
        self.assertEqual(self.stream.getvalue(), "one\ntwo\nthree\nfour\n")

    def test_others_come_at_once_and_in_order(self) -> None:
        async def both() -> None:
            log.info(("a request", {}))
            LOGGER.error("an error")
            self.assertEqual(self.stream.getvalue(), "a request\nan error\n")

        asyncio.run(both())
        self.assertEqual(self.stream.getvalue(), "a request\nan error\n")

    def test_a_loop_that_is_closed_before_it_logs(self) -> None:
        async def one(name: str) -> None:
            log.info((name, {}))

        closed = asyncio.new_event_loop()
        closed.call_soon(closed.stop)
        first = closed.create_task(one("first"))
        closed.run_forever()
        self.assertTrue(first.done())
        closed.close()
        asyncio.run(one("second"))
        self.assertEqual(self.stream.getvalue(), "first\nsecond\n")

    def test_a_log_that_is_full(self) -> None:
        class Full(io.StringIO):
            def flush(self) -> None:
                raise OSError("No space left on device")

        async def one() -> None:
            log.info(("a request", {}))

        self.handler.setStream(Full())
        asyncio.run(one())
