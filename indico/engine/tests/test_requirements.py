"""The sentence for a Python that lacks a package."""

from __future__ import annotations

import importlib
import sys
from unittest import TestCase

from ..requirements import required
from .server_process import ENGINE


class RequiredTest(TestCase):
    def test_valid(self) -> None:
        with required():
            importlib.import_module("json")

    def test_a_package_is_missing(self) -> None:
        with self.assertRaises(SystemExit) as raised, required():
            importlib.import_module("nosuch.package")
        said = str(raised.exception)
        self.assertIn(f"{sys.executable} lacks the package nosuch: start this command by", said)
        self.assertNotIn("\n", said)

    def test_a_module_of_the_project_is_missing(self) -> None:
        with self.assertRaises(ModuleNotFoundError), required():
            importlib.import_module(f"{ENGINE}.nosuch")
