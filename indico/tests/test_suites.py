"""`run.py test --suite ...`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from indico.tests.server_process import ROOT, ProcessTest

# What would start a MongoDB, in the copy that is made here.
NO_MONGODB = """

def _start(self):
    raise AssertionError("this needs a MongoDB")

Embedded.start = _start
"""


class SuitesTest(ProcessTest):
    """A copy of the package, in which no MongoDB can be started."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(
            ROOT, self.folder / "copy", ignore=shutil.ignore_patterns(".*", "__pycache__")
        )
        shutil.copy(ROOT / ".gitignore", self.folder / "copy")  # a test looks into it
        with (self.folder / "copy/indico/db/embedded.py").open("a") as embedded:
            embedded.write(NO_MONGODB)

    def run_suite(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        code = (
            "import sys, run\n"
            "run.run = lambda *told: run.subprocess.run([sys.executable, *told]).returncode\n"
            "sys.exit(run.test(sys.argv[1:]))"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder / "copy",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def names(self, suite: str) -> set[str]:
        # Nothing is run, so nothing is to be covered.
        config = self.folder / "copy/setup.cfg"
        config.write_text(config.read_text().replace("with-coverage = 1\n", ""))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        collect = ("--suite", suite, "--", "--collect-only", "indico")
        done = self.run_suite(*collect, environment=environment)
        found = re.findall(r"^(\w+ \([\w.]+\)) \.\.\. ok", done.stderr, re.M)
        self.assertEqual(len(found), len(set(found)))
        return set(found)

    def test_unit_and_integration_are_all(self) -> None:
        everything, unit = self.names("all"), self.names("unit")
        integration = self.names("integration")
        self.assertEqual(unit | integration, everything)
        self.assertEqual(unit & integration, set())
        self.assertGreater(len(integration), len(unit))

    def test_unit_needs_no_mongodb(self) -> None:
        done = self.run_suite("--suite", "unit")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("test_address_entry.FaithfulTest.test_keys", done.stderr)
        self.assertNotIn("ServerTest", done.stderr)

    def test_an_unknown_one(self) -> None:
        done = self.run_suite("--suite", "fast")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'all', 'unit', 'integration'", done.stderr)
