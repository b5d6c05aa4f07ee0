"""Imports run one way."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from unittest import TestCase

from indico.tests.server_process import ROOT

PACKAGE = ROOT / "indico"

# What each layer may import of the package, beside itself.
ALLOWED = {
    "server": {"config", "process", "service", "db", "error", "utils"},
    "doctor": {"app", "config", "db", "error"},
    "process": {
        "app",
        "config",
        "http_server",
        "routes",
        "service",
        "db",
        "error",
        "utils",
        "telemetry",
    },
    "http_server": set(),
    "app": {"config", "routes"},
    "routes": {"config", "service", "db", "error", "utils", "telemetry"},
    "service": {"db", "error"},
    "db": {"error", "telemetry"},
    "utils": {"error", "db"},
    "telemetry": {"__version__"},
    "error": set(),
    "config": set(),
    "__init__": set(),
}
DRIVERS = {"motor", "pymongo", "bson", "gridfs"}


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "tests" not in path.parts]


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The full names of the modules that `path` imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


class ImportsTest(TestCase):
    def test_one_way(self) -> None:
        for path in modules():
            for name in imported(path):
                top, *rest = name.split(".")
                if top == "indico" and rest[0] != layer(path):
                    self.assertIn(rest[0], ALLOWED[layer(path)], f"{path} imports {name}")

    def test_only_auth_of_utils_knows_the_database(self) -> None:
        for path in (PACKAGE / "utils").rglob("*.py"):
            if any(name.startswith("indico.db") for name in imported(path)):
                self.assertEqual(path.name, "auth_utils.py")

    def test_only_db_names_the_driver(self) -> None:
        for path in modules():
            named = {name.split(".")[0] for name in imported(path)} & DRIVERS
            self.assertTrue(not named or layer(path) == "db", f"{path} imports {named}")

    def test_only_one_module_knows_which_driver(self) -> None:
        for path in modules():
            if any(re.match("motor|pymongo.*Async", name) for name in imported(path)):
                self.assertEqual(path.name, "driver.py")

    def test_service_and_db_know_nothing_of_http(self) -> None:
        for path in modules():
            if layer(path) in ("service", "db", "error"):
                for name in imported(path):
                    self.assertFalse(name.startswith("tornado"), f"{path} imports {name}")

    def test_names_that_people_know(self) -> None:
        code = """
from indico.routes.handler import IndicoHandler
from indico.utils import unpack, type_check, LOGGER
from indico.utils.auth.auth_utils import auth
from indico.service.offload import offload
import indico.db.user_db as UserDB
from indico.error import IndicoError, RouteNotFound, ServerError
import indico.db
indico.db.mongodb
"""
        exec(compile(code, "example", "exec"), {})
