"""The examples of docs/calling.md, run against the real app."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from indico.engine.tests.tcp.line_client import LineClient, close, serve_lines
from indico.tests.deploy.programs import needs, program
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest
from indico.tests.test_readme import BLOCK, assert_like, play

PAGE = (ROOT / "docs/calling.md").read_text()
BLOCKS = re.findall(BLOCK, PAGE, re.S)
FRIENDS = ["Grace", "Edsger", "Barbara"]


class CallingTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.lines, self.tcp_port = serve_lines(self._app, self.config)

    def tearDown(self) -> None:
        close(self.lines)
        super().tearDown()

    def code(self, language: str) -> str:
        """Return the blocks of a language as one program, which calls this test's server."""
        text = "\n".join(text for kind, text in BLOCKS if kind == language)
        text = text.replace("http://localhost:8888", self.get_url(""))
        return text.replace("8889", str(self.tcp_port))

    def test_curl(self) -> None:
        calls = asyncio.to_thread(play, self, BLOCKS, self.get_http_port())
        self.assertEqual(self.run_async(calls), 6)

    def test_python(self) -> None:
        self.register(password="correct horse", name="Ada")
        self.register("bob@example.com")  # as the examples of curl do
        found: dict[str, Any] = {}
        self.run_async(asyncio.to_thread(exec, self.code("python"), found))
        found["client"].close()
        self.assertEqual((found["name"], found["taken"]), ("Ada", "taken"))
        self.assertEqual(found["friends"], FRIENDS)
        answers = [found["answers"][number] for number in (0, 1)]
        self.assertEqual(answers[0]["data"]["id"], answers[1]["data"]["user_id"])

    def test_lines_over_tcp(self) -> None:
        self.run_async(self.type_lines())

    async def type_lines(self) -> None:
        client = await LineClient.connect(self.tcp_port)
        await self.talk(client.reader, client.writer)
        client.close()

    @needs(program("nc"), "nc")
    def test_nc(self) -> None:
        self.run_async(self.run_nc())

    async def run_nc(self) -> None:
        pipe, command = asyncio.subprocess.PIPE, ("nc", "127.0.0.1", str(self.tcp_port))
        nc = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert nc.stdin and nc.stdout
        await self.talk(nc.stdout, nc.stdin)
        nc.kill()
        await nc.wait()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send each line of the page that names an action, and compare the others."""
        (text,) = (text for kind, text in BLOCKS if kind == "console")
        for line in text.splitlines()[2:]:
            if "action" in json.loads(line):
                writer.write(line.encode() + b"\n")
            else:
                assert_like(self, json.loads(line), json.loads(await reader.readline()))

    @needs(program("node"), "Node.js")
    def test_javascript(self) -> None:
        self.register(password="correct horse", name="Ada")
        printed = self.run_async(self.run_node(self.code("javascript"))).splitlines()
        self.assertEqual(json.loads(printed[0]), {"name": "Ada", "taken": "taken"})
        self.assertEqual(json.loads(printed[1]), FRIENDS)

    async def run_node(self, code: str) -> str:
        """Return what a program prints."""
        pipe = asyncio.subprocess.PIPE
        node = await asyncio.create_subprocess_exec(
            "node", "--input-type=module", "-", stdin=pipe, stdout=pipe, stderr=pipe
        )
        out, errors = await node.communicate(code.encode())
        self.assertEqual(node.returncode, 0, errors.decode())
        return out.decode()
