"""The reload of `debug` in the test's own process; DebugTest has it in a server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ...log import LOGGER
from ...process import autoreload
from ...program import Program
from ..environment import measured
from ..sample.server import PROGRAM
from ..server_process import ENGINE, children
from ..server_test import mongodb_uri
from .in_process import run_main


class FolderTest(unittest.IsolatedAsyncioTestCase):
    """A folder with source files in place of the project's."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "project"
        self.folder.mkdir()
        self.source = self.folder / "source.py"
        self.source.write_text("")
        for name, value in (("PROJECT", self.folder), ("LOOK_SECONDS", 0.01)):
            patched = patch.object(autoreload, name, value)
            patched.start()
            self.addCleanup(patched.stop)


class Restarted(Exception):
    """The end of a process that starts anew."""


class WatchTest(FolderTest):
    integration = True

    def watch(self, *flags: str, program: Program = PROGRAM) -> asyncio.Task[None]:
        return asyncio.create_task(autoreload._watch(program, flags, autoreload._times()))

    async def test_it_starts_anew_once_the_code_is_right(self) -> None:
        (self.folder / ".#source.py").symlink_to("ada@example.com")  # an editor's lock
        settings = self.folder / "settings.yaml"
        settings.write_text("{port: x, host: 1}")
        with (
            patch("os.execv", side_effect=Restarted) as execv,
            self.assertLogs(LOGGER) as logs,
        ):
            with measured():
                watching = self.watch("--config", str(settings))
                await asyncio.sleep(0.05)
                self.source.write_text("#")
                while not logs.output:
                    await asyncio.sleep(0.01)
            self.assertIn("not reloaded, the old code goes on: host: 1 is not", logs.output[0])
            settings.write_text("")
            self.source.write_text("##")
            with self.assertRaises(Restarted):
                await asyncio.wait_for(watching, 60)
        execv.assert_called_once_with(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    async def test_another_file_is_saved_meanwhile(self) -> None:
        async def save(*_: Any) -> str:
            if check.call_count == 1:
                (self.folder / "style.css").write_text("")
            return ""

        with (
            patch("os.execv", side_effect=Restarted),
            patch.object(autoreload, "_error", side_effect=save) as check,
            self.assertRaises(Restarted),
        ):
            watching = self.watch()
            self.source.write_text("#")
            await asyncio.wait_for(watching, 60)
        self.assertEqual(check.call_count, 2)

    async def test_the_server_stops_meanwhile(self) -> None:
        begun = self.folder / "begun"
        watching = self.watch(program=PROGRAM._replace(settings="source:Settings"))
        with patch.dict(os.environ, PYTHONPATH=str(self.folder)):
            self.source.write_text(f"import time; open('{begun}', 'w'); time.sleep(60)")
            while not begun.exists():
                await asyncio.sleep(0.01)
        self.assertEqual(len(children(os.getpid(), autoreload.__name__)), 1)
        watching.cancel()
        await asyncio.wait([watching])
        while children(os.getpid(), autoreload.__name__):
            await asyncio.sleep(0.01)


class FixTest(FolderTest):
    integration = True

    def test_the_first_start_waits(self) -> None:
        """Start with code that can't be imported; it is then wrong in another way, and right."""

        async def error(*_: Any) -> str:
            answer = next(answers)
            if answer == "known":
                answer = said.call_args.args[1]
            if answer:
                self.source.write_text(self.source.read_text() + "#")
            return answer

        for broken in (
            PROGRAM._replace(settings="no_such:Settings"),
            PROGRAM._replace(make_app="no_such:make_app"),
        ):
            answers = iter(["known", "another", ""])
            with (
                patch("os.execv", side_effect=Restarted),
                patch.object(autoreload, "_error", side_effect=error),
                patch.object(LOGGER, "error") as said,
                self.assertRaises(Restarted),
            ):
                run_main("--debug", "--port", "0", "--mongodb-uri", mongodb_uri(), program=broken)
            lines = [call.args[0] % call.args[1:] for call in said.call_args_list]
            self.assertRegex(lines[0], "^waiting for a fix: .*, line [0-9]+: ModuleNotFoundError: ")
            self.assertEqual(lines[1:], ["waiting for a fix: another"])


class MainTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        path = patch.object(sys, "path", [str(self.folder.parent), *sys.path])
        path.start()
        self.addCleanup(path.stop)
        self.program = PROGRAM._replace(server="project.server", make_app="project.source:make")

    def said(self, text: str, code: int = 1) -> str:
        """Return the line that is printed when the project's code is `text`."""
        self.source.write_text(text)
        for name in ("project", "project.source"):
            sys.modules.pop(name, None)
        with redirect_stderr(io.StringIO()) as printed:
            self.assertEqual(autoreload.main([json.dumps(self.program)]), code)
        return printed.getvalue()

    def test_right(self) -> None:
        self.assertEqual(self.said("def make(settings): pass", code=0), "")

    def test_wrong(self) -> None:
        for text, said in (
            ("\n(", "line 2: SyntaxError: '(' was never closed"),
            ("import no_such", "line 1: ModuleNotFoundError: No module named 'no_such'"),
            ("import json\njson.loads('')", "line 2: JSONDecodeError: Expecting value: "),
            ("def make(settings):\n a\n", "line 2: NameError: name 'a' is not defined"),
        ):
            self.assertTrue(self.said(text).startswith(f"{self.source}, {said}"), said)
        why = f"from {ENGINE}.error import StartError\ndef make(settings): raise StartError('why')"
        self.assertEqual(self.said(why), "why\n")
        self.assertRegex(self.said(""), "^.*, line .*: AttributeError: module 'project.source'")
