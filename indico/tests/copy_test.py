"""`CopyTest`: a test of a changed copy of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import TestCase

from indico.engine.tests.environment import MONGODB_URI
from indico.tests.server_test import mongodb_uri

# Files that another process makes just now. The compiled modules are copied too, because a copy of
# them is valid, and to compile the project takes two seconds.
HALF_WRITTEN = "*.pyc.*"


class CopyTest(TestCase):
    """Base of tests whose copy is in `root`."""

    integration = True
    root: Path

    def run_suite(self, *arguments: str) -> str:
        """Return what a test runner prints, whose tests use the MongoDB of this process."""
        return self.run_python(*arguments, **{MONGODB_URI: mongodb_uri()})

    def run_python(self, *arguments: str, **environment: str) -> str:
        """Return what Python prints in the copy, with exit code 0."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr
