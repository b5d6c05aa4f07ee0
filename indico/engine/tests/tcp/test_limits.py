"""The limits of the TCP service on what one client, and all clients, may send and have waiting."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any
from unittest.mock import patch

from tornado.testing import gen_test

from ...http.body import SMALL_BYTES
from ...http.timeouts import TimeoutQueue
from ...log import LOGGER
from ...tcp import connection
from ...tcp.connection import LineConnection
from ..http.http_servers import ask_narrowly, until
from .line_client import LineClient
from .line_server_test import LineServerTest, StepHandler

MEBIBYTE = 1 << 20
WAITS = {"action": "step/waits"}


def echo(size: int) -> bytes:
    """Return a line of `size` bytes, without its end."""
    line = b'{"action": "step/echo", "body": {"a": "%b"}}'
    return line % (b"x" * (size - len(line % b"")))


class LongLineTest(LineServerTest):
    settings = {"max_body_bytes": 100_000}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_too_long(self) -> None:
        client = await self.join()
        for line in (echo(100_001), b"\n" + b"x" * 2_000_000):
            client.send(line + b"\n")
            answer = await client.answer()
            self.assertEqual((answer["id"], answer["status"]), (None, 413))
            self.assertEqual(answer["error"]["code"], "too_large")
        client.send(echo(100_000) + b"\n")
        self.assertEqual((await client.answer())["status"], 200)


class MemoryTest(LineServerTest):
    settings = {"max_body_bytes": 200_000, "max_body_bytes_in_flight": 200_000}  # noqa: RUF012

    async def echoed(self, size: int) -> int:
        """Return the status of the answer to a line of `size` bytes."""
        client = await self.join()
        client.send(echo(size) + b"\n")
        answer = await client.answer()
        client.close()
        self.assertIn((answer["status"], answer.get("error", {}).get("retryable")), OUTCOMES)
        return int(answer["status"])

    async def held(self, size: int) -> None:
        """Wait until lines hold so many bytes of the memory for bodies."""
        await until(lambda: self._app.admission._free_bytes == 200_000 - size)

    @gen_test(timeout=60)
    async def test_lines_that_are_not_complete(self) -> None:
        slow = await self.join()
        slow.send(echo(150_000))
        await self.held(150_000)
        self.assertEqual(await self.echoed(100_000), 503)
        self.assertEqual(await self.echoed(SMALL_BYTES), 200)
        slow.send(b"\n")
        self.assertEqual((await slow.answer())["status"], 200)
        await self.held(0)
        self.assertEqual(await self.echoed(100_000), 200)

    @gen_test(timeout=60)
    async def test_a_long_blank_line(self) -> None:
        client = await self.join()
        client.send(b" " * 150_000)
        await self.held(150_000)
        client.send(b"\n")
        await self.held(0)

    @gen_test(timeout=60)
    async def test_lines_of_clients_that_left(self) -> None:
        slow = await self.join()
        slow.send(echo(150_000))
        await self.held(150_000)
        slow.close()
        await self.held(0)
        self.assertEqual(await self.echoed(150_000), 200)

    @gen_test(timeout=60)
    async def test_a_client_that_leaves_while_its_line_waits_for_room(self) -> None:
        with patch.object(connection, "MAX_CALLS", 1):
            client = await self.join()
            client.send(WAITS, echo(150_000) + b"\n")
            await self.held(150_000)
            client.close()
            await self.held(0)
        await until(lambda: StepHandler.ended == 1)
        self.assertEqual(StepHandler.begun, 1)


OUTCOMES = {(200, None), (503, True)}


class InFlightTest(LineServerTest):
    settings = {"max_in_flight": 2}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_each_call_takes_a_place(self) -> None:
        client = await self.join()
        client.send(WAITS, WAITS, {"id": 3, "action": "step/ping"})
        answer = await client.answer()
        self.assertEqual((answer["id"], answer["status"]), (3, 503))
        self.assertEqual(answer.keys(), {"id", "status", "data", "error"})
        self.assertEqual(answer["error"]["retry_after"], 1)
        StepHandler.go_on.set()
        statuses = [(await client.answer())["status"] for _ in range(2)]
        self.assertEqual(statuses, [200, 200])
        self.assertEqual((await client.ask("step/ping"))["status"], 200)


class BoundTest(LineServerTest):
    def setUp(self) -> None:
        self.enterContext(patch.object(connection, "MAX_CALLS", 2))
        super().setUp()

    @gen_test(timeout=60)
    async def test_calls_of_one_client(self) -> None:
        client = await self.join()
        client.send(WAITS, WAITS, WAITS, {"id": 4, "action": "step/ping"})
        await until(lambda: StepHandler.begun == 2)
        await self.assert_serves()  # the server has had its time to begin the others
        self.assertEqual(StepHandler.begun, 2)
        StepHandler.go_on.set()
        answers = [await client.answer() for _ in range(4)]
        self.assertEqual({answer["status"] for answer in answers}, {200})
        self.assertEqual(StepHandler.begun, 3)

    @gen_test(timeout=60)
    async def test_a_client_that_takes_no_answer_is_not_read(self) -> None:
        call = {"action": "step/large", "body": {"size": MEBIBYTE}}
        client = ask_narrowly(self.tcp_port, (json.dumps(call).encode() + b"\n") * 5)
        with client:
            await until(lambda: self.lines.unread)
            await self.assert_serves()
            self.assertEqual(StepHandler.answered, 2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEBIBYTE)
            received = bytearray()
            while received.count(b"\n") < 5:
                received += await asyncio.get_running_loop().sock_recv(client, MEBIBYTE)
        self.assertGreater(len(received), 5 * MEBIBYTE)
        await until(lambda: not self.lines.unread)


class DeadlineTest(LineServerTest):
    @gen_test(timeout=60)
    async def test_of_the_client(self) -> None:
        answer = await (await self.join()).ask("step/waits", timeout_ms=20)
        self.assertEqual((answer["status"], answer["error"]["code"]), (504, "deadline_exceeded"))
        self.assertEqual(StepHandler.ended, StepHandler.begun)


class ServerDeadlineTest(LineServerTest):
    settings = {"request_timeout_seconds": 0.05}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_of_the_server(self) -> None:
        answer = await (await self.join()).ask("step/waits")
        self.assertEqual((answer["status"], answer["error"]["code"]), (504, "deadline_exceeded"))


class GoneTest(LineServerTest):
    """A client that goes away ends its calls, and is no error."""

    def go(self, client: LineClient, abruptly: bool) -> None:
        if abruptly:
            client.close()
        else:
            client.writer.close()

    @gen_test(timeout=60)
    async def test_in_a_call(self) -> None:
        for number, abruptly in enumerate((False, True), 1):
            client = await self.join()
            with self.assertLogs(LOGGER, "INFO") as logs:
                client.send(WAITS)
                await until(lambda number=number: StepHandler.begun == number)  # type: ignore[misc]
                self.go(client, abruptly)
                await until(lambda number=number: StepHandler.ended == number)  # type: ignore[misc]
                await until(lambda logs=logs: logs.records)  # type: ignore[misc]
            self.assertRegex(logs.output[0], r"POST /step/waits 499 .* by=tcp$")
            await until(lambda: not self.lines.connections)
            self.assertEqual(self._app.admission.in_flight, 0)
            self.assertFalse(self.lines.is_busy)

    @gen_test(timeout=60)
    async def test_in_the_middle_of_a_line(self) -> None:
        with self.assertNoLogs():
            for abruptly in (False, True):
                client = await self.join()
                client.send(b'{"action": "step')
                await until(lambda: any(each._line.begun for each in self.lines.connections))
                self.go(client, abruptly)
                await until(lambda: not self.lines.connections)

    @gen_test(timeout=60)
    async def test_closed_before_a_piece_is_handled(self) -> None:
        """No timeout begins for half a line of a connection that is closed."""
        receive = LineConnection._receive
        handled: list[LineConnection] = []

        async def receive_late(each: LineConnection, data: bytes) -> None:
            each.close()
            await until(lambda: each not in self.lines.connections)
            try:
                await receive(each, data)
            finally:
                handled.append(each)

        with patch.object(LineConnection, "_receive", receive_late):
            client = await self.join()
            client.send(b'{"action": "step')
            await until(lambda: handled)
        self.assertIsNone(handled[0]._line_timeout._timer)

    @gen_test(timeout=60)
    async def test_in_the_middle_of_an_answer(self) -> None:
        with self.assertNoLogs(level="WARNING"):
            call = {"action": "step/large", "body": {"size": MEBIBYTE}}
            client = ask_narrowly(self.tcp_port, json.dumps(call).encode() + b"\n")
            await until(lambda: self.lines.unread)
            client.close()
            await until(lambda: not self.lines.connections)
        await until(lambda: not self.lines.unread)
        await self.assert_serves()


class SlowSenderTest(LineServerTest):
    settings = {"body_timeout_seconds": 0.1}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_half_a_line(self) -> None:
        for begin in (b'{"action":', b"x" * (MEBIBYTE + 1)):
            with self.assertLogs("tornado.general", logging.INFO) as logs:
                client = await self.join()
                client.send(begin)
                self.assertTrue(await client.closed())
            self.assertIn("Timeout reading a line from 127.0.0.1", logs.output[0])


class IdleTest(LineServerTest):
    @gen_test(timeout=60)
    async def test_idle(self) -> None:
        waits = await self.join()
        waits.send(WAITS)
        await until(lambda: StepHandler.begun == 1)
        # A shorter time from the start would end on a busy machine before the line has come.
        self.lines.idle = TimeoutQueue(0.05, lambda each: each.close())
        with self.assertNoLogs():
            for _ in range(2):
                self.assertTrue(await (await self.join()).closed())
        StepHandler.go_on.set()
        self.assertEqual((await waits.answer())["data"], "done")
        self.assertTrue(await waits.closed())


class SlowReaderTest(LineServerTest):
    def ask(self, size: int) -> socket.socket:
        """Ask for an answer of `size`, on a connection of which nothing is read."""
        call = {"action": "step/large", "body": {"size": size}}
        client = ask_narrowly(self.tcp_port, json.dumps(call).encode() + b"\n")
        self.addCleanup(client.close)
        return client


class TimeoutTest(SlowReaderTest):
    settings = {"write_timeout_seconds": 0.3}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_who_takes_nothing_is_cut_off(self) -> None:
        with self.assertLogs("tornado.general", logging.INFO) as logs:
            self.ask(MEBIBYTE)
            await until(lambda: StepHandler.answered)
            await until(lambda: not self.lines.connections)
        self.assertIn("Timeout writing to 127.0.0.1", logs.output[0])
        await until(lambda: not self.lines.unread)


class UnsentTest(SlowReaderTest):
    settings = {"max_unsent_bytes": MEBIBYTE}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_all_answers_together(self) -> None:
        with self.assertLogs(LOGGER, logging.WARNING) as logs:
            for count in range(1, 9):
                self.ask(MEBIBYTE // 4)
                await until(lambda count=count: StepHandler.answered == count)  # type: ignore[misc]
            await until(lambda: len(logs.records) and len(self.lines.connections) <= 5)
        self.assertIn("clients that had not taken their answers", logs.output[0])


class FloodTest(LineServerTest):
    """A client that sends without pause, of whom others notice nothing."""

    @gen_test(timeout=60)
    async def test_others_are_served(self) -> None:
        for data in (b"x" * MEBIBYTE, b"\n" * MEBIBYTE):
            client = await self.join()
            flood = asyncio.create_task(self.flood(client, data))
            for _ in range(3):
                await self.assert_serves()
            flood.cancel()
            client.close()

    async def flood(self, client: Any, data: bytes) -> None:
        while True:
            client.send(data)
            await client.writer.drain()
