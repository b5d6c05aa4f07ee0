"""The examples of docs/calling.md, run against the real app."""

from __future__ import annotations

import asyncio
import json
import re
from types import SimpleNamespace
from typing import Any

from indico.tests.deploy.programs import needs, program
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest
from indico.tests.test_readme import BLOCK, play

PAGE = (ROOT / "docs/calling.md").read_text()
BLOCKS = re.findall(BLOCK, PAGE, re.S)
FRIENDS = ["Grace", "Edsger", "Barbara"]


class CallingTest(ServerTest):
    def code(self, language: str) -> str:
        """Return the blocks of a language as one program, which calls this test's server."""
        text = "\n".join(text for kind, text in BLOCKS if kind == language)
        return text.replace("http://localhost:8888", self.get_url(""))

    def test_curl(self) -> None:
        self.run_async(asyncio.to_thread(self.run_curl))

    def run_curl(self) -> None:
        server: Any = SimpleNamespace(port=self.get_http_port())
        compared, _ = play(self, BLOCKS, server)
        self.assertEqual(compared, 6)

    def test_python(self) -> None:
        self.register(password="correct horse", name="Ada")
        found: dict[str, Any] = {}
        self.run_async(asyncio.to_thread(exec, self.code("python"), found))
        found["client"].close()
        self.assertEqual((found["name"], found["taken"]), ("Ada", "taken"))
        self.assertEqual(found["friends"], FRIENDS)

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
