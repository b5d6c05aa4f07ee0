"""The README, tried as a newcomer tries it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import TestCase

import indico.routes.user
from indico.tests.copy_test import HALF_WRITTEN, CopyTest
from indico.tests.deploy.programs import needs, program
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest

README = (ROOT / "README.md").read_text()
FIRST_RESOURCE = (ROOT / "docs/first-resource.md").read_text()
SERVICES = (ROOT / "docs/services.md").read_text()
BLOCK = r"```(\w*)\n(.*?)```"
BLOCKS = re.findall(BLOCK, README, re.S)


def curl(line: str, port: int, token: str) -> Any:
    """Return the output of a `curl` line of the README."""
    words = shlex.split(line.replace("$TOKEN", token))
    url = f"http://{words[1]}".replace("localhost:8888", f"127.0.0.1:{port}")
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options.keys() <= {"-d", "-H", "-X"}, line
    body = options["-d"].encode() if "-d" in options else None
    method = options.get("-X", "GET" if body is None else "POST")
    request = urllib.request.Request(url, body, method=method)
    if "-H" in options:
        request.add_header(*options["-H"].split(": "))
    try:
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return json.load(error)


def assert_like(test: TestCase, example: Any, answer: Any) -> None:
    """Compare, but for the values that a page writes as `...`."""
    if isinstance(example, dict):
        pairs = list(zip(example, answer, strict=True))
        for key, own in pairs:
            test.assertIn(key, ("...", own))
            assert_like(test, example[key], answer[own])
    elif isinstance(example, list):
        for part, own in zip(example, answer, strict=True):
            assert_like(test, part, own)
    elif example != "...":
        test.assertEqual(example, answer)


def play(test: TestCase, blocks: list[Any], port: int) -> int:
    """Run each line of curl, and compare each block of JSON with the answer before.

    Return the number of comparisons. The first call answers the token of the others.
    """
    token, answer, compared = "", None, 0
    for kind, text in blocks:
        for line in text.splitlines():
            if line.startswith("curl "):
                answer = curl(line, port, token)
                token = token or answer["data"]["token"]
        if kind == "json":
            compared += 1
            assert_like(test, json.loads(text), answer)
    return compared


class CallsTest(ServerTest):
    covers = False

    def test_every_curl_line(self) -> None:
        blocks = BLOCKS + re.findall(BLOCK, SERVICES, re.S)
        calls = asyncio.to_thread(play, self, blocks, self.get_http_port())
        self.assertGreaterEqual(self.run_async(calls), 3)


class NewResourceTest(CopyTest):
    """Copy of the package, with the resource of docs/first-resource.md added as the page says."""

    seconds = 10
    new: list[str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-"))
        cls.root = Path(folder)
        for name in ("indico", "docs"):
            hidden = shutil.ignore_patterns(HALF_WRITTEN)
            shutil.copytree(ROOT / name, cls.root / name, ignore=hidden)
        # With its cache mypy checks only what is new; another mypy may change the cache just now.
        with suppress(OSError):
            shutil.copytree(ROOT / ".mypy_cache", cls.root / ".mypy_cache")
        names = [file.name for file in ROOT.glob("req*.txt")]
        for name in ("setup.cfg", "pyproject.toml", "README.md", "run.py", *names):
            shutil.copy(ROOT / name, cls.root / name)
        # The coverage of what is beside the resource; to report on everything takes seconds.
        measured = (cls.root / "setup.cfg").read_text()
        fewer = measured.replace("indico,clients.python", "indico.routes,indico.db")
        (cls.root / "setup.cfg").write_text(fewer)
        section = FIRST_RESOURCE.split("\n## ")[0]
        cls.new = cls.write_files(section)
        cls.apply_diff(section)

    @classmethod
    def write_files(cls, section: str) -> list[str]:
        """Write each block of Python to the file that is named last before the block."""
        written = []
        for before, code in re.findall(r"(.*?)```python\n(.*?)```", section, re.S):
            name = re.findall(r"`(indico/\S+\.py)`", before)[-1]
            assert not (cls.root / name).exists(), name
            (cls.root / name).write_text(code)
            written.append(name)
        return written

    @classmethod
    def apply_diff(cls, section: str) -> None:
        """Insert each line with a plus after the line above it."""
        app = cls.root / "indico/app.py"
        (diff,) = re.findall(r"```diff\n(.*?)```", section, re.S)
        lines = app.read_text().splitlines()
        place = 0
        for line in diff.splitlines():
            if line.startswith("+"):
                lines.insert(place, line[1:])
                place += 1
            else:
                place = lines.index(line[1:]) + 1
        app.write_text("\n".join(lines) + "\n")

    def test_two_files_two_tests_and_a_line(self) -> None:
        self.assertEqual(
            self.new,
            [
                "indico/db/note_db.py",
                "indico/routes/note.py",
                "indico/tests/routes/test_note.py",
                "indico/tests/db/test_note_db.py",
            ],
        )

    @needs(program("ruff") and program("mypy"), "ruff and mypy, of pip install -r req-check.txt")
    def test_it_passes_the_checks(self) -> None:
        self.run_python("-m", "ruff", "check", ".")
        self.run_python("-m", "ruff", "format", "--check", *self.new)
        self.run_python("-m", "mypy", "--strict", *self.new)

    def test_its_tests_and_the_contract(self) -> None:
        contract = ["indico/tests/test_app.py", "indico/tests/test_imports.py:YoursTest"]
        out = self.run_suite("-m", "nose", "--cover-min-percentage=0", *self.new[2:], *contract)
        self.assertIn("test_note.CreateTest.test_valid", out)
        self.assertRegex(out, r"indico/routes/note.py +\d+ +0 +\d+ +0 +100%")
        self.assertRegex(out, r"indico/db/note_db.py +\d+ +0 +\d+ +0 +100%")


class ByHandTest(TestCase):
    def test_the_first_example(self) -> None:
        kind, code = BLOCKS[0]
        self.assertEqual(kind, "python")
        names = dict(vars(indico.routes.user))
        exec(code, names)
        self.assertEqual(set(names["UserHandler"].actions), {"update"})
        self.assertEqual(names["UserRoute"][0], indico.routes.user.UserRoute[0])

    def test_commands_that_the_readme_names(self) -> None:
        tasks = set(re.findall(r"python3 run\.py (\w+)", README))
        self.assertEqual(tasks, {"serve", "doctor", "seed", "test", "check", "fuzz", "screenshots"})
        for name in re.findall(r"\]\(([^)]+)\)", README):
            self.assertTrue((ROOT / name).exists(), name)
        scripts = Path(sys.executable).parent
        self.assertTrue(os.access(scripts / "nosetests", os.X_OK))
