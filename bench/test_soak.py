"""The users of `bench soak`, and its report; `test_commands` runs the command."""

from __future__ import annotations

import asyncio
import contextlib
from unittest import IsolatedAsyncioTestCase, TestCase
from unittest.mock import patch

from bench import password_races, slow_clients, soak, soak_users


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


class AttackTest(IsolatedAsyncioTestCase):
    """The attacks of `bench soak` on a server that does not defend itself."""

    async def serve(self, answer: bytes, leaves: bool) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while not leaves and await reader.read(1 << 16):
                writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.addCleanup(server.close)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def test_slow_clients(self) -> None:
        with patch.multiple(slow_clients, OF_EACH_KIND=2, LONGEST_SECONDS=0.05):
            kept = await slow_clients.disconnected(await self.serve(b"", leaves=False))
        self.assertEqual(set(kept.values()), {0})
        with patch.multiple(slow_clients, OF_EACH_KIND=2, DRIP_SECONDS=0.01, LONGEST_SECONDS=60):
            left = await slow_clients.disconnected(await self.serve(b"", leaves=True))
        self.assertEqual(set(left.values()), {2})

    async def test_a_password_that_stays(self) -> None:
        body = b'{"data":{"token":"a"}}'
        head = b"HTTP/1.1 201 Created\r\nX-Request-Id: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        with patch.object(password_races, "ACCOUNTS", 1):
            seen = await password_races.race(await self.serve(head + body, leaves=False))
        self.assertEqual(seen.accounts, 1)
        self.assertGreaterEqual(len(seen.wrong), 2, seen.wrong)


class SoakReportTest(TestCase):
    def test_growth(self) -> None:
        samples = [soak.Sample(100 + n, 50, 10) for n in range(30)]
        lines = soak._report(soak_users.Soaked(wrong=["echo: foreign"]), samples).splitlines()
        self.assertIn("echo: foreign", lines)
        self.assertRegex(lines[-3], "^memory MiB, .*: GROWS$")
        self.assertRegex(lines[-2], "^open files, .* 50.0, 50.0, 50.0: flat$")
