"""The users of `bench soak`, and its report; `test_commands` runs the command."""

from __future__ import annotations

import asyncio
import contextlib
from unittest import IsolatedAsyncioTestCase, TestCase
from unittest.mock import patch

from bench import soak, soak_users


class SoakUserTest(IsolatedAsyncioTestCase):
    """A user of `bench soak` at a server whose answers are not its own."""

    async def wrong(self, status: bytes, request_id: bytes, data: bytes) -> list[str]:
        """Return what is said of answers with this status, id and data; `%` is the sent value."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    lines = dict(line.split(b": ") for line in head.split(b"\r\n")[1:-2])
                    sent = await reader.readexactly(int(lines[b"Content-Length"]))
                    its_id = request_id.replace(b"%", lines[b"X-Request-Id"])
                    body = b'{"data":%b}' % data.replace(b"%", sent)
                    fields = b"X-Request-Id: %b\r\nContent-Length: %d" % (its_id, len(body))
                    writer.write(b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, fields, body))
            writer.close()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        seen = soak_users.Soaked()
        user = soak_users.User(server.sockets[0].getsockname()[1], "", "1", "2", seen)
        await user.do(user._echo)
        user._connection.drop(abruptly=False)
        await ended.wait()
        server.close()
        return seen.wrong

    async def test_wrong_answers(self) -> None:
        for case in (
            (b"200 OK", b"%", b'{"text":"of another user"}'),
            (b"200 OK", b"of-another", b"%"),
            (b"500 Broken", b"%", b"%"),
        ):
            self.assertEqual(len(await self.wrong(*case)), 1, case)

    async def test_right_answers(self) -> None:
        self.assertEqual(await self.wrong(b"200 OK", b"%", b"%"), [])
        with patch.object(soak_users, "RETRY_SECONDS", (0, 0)):
            self.assertEqual(await self.wrong(b"503 Full", b"%", b"1"), [])


class SoakReportTest(TestCase):
    def test_growth(self) -> None:
        samples = [soak.Sample(100 + n, 50, 10) for n in range(30)]
        lines = soak._report(soak_users.Soaked(wrong=["echo: foreign"]), samples).splitlines()
        self.assertIn("echo: foreign", lines)
        self.assertRegex(lines[-3], "^memory MiB, .*: GROWS$")
        self.assertRegex(lines[-2], "^open files, .* 50.0, 50.0, 50.0: flat$")
