"""Imports run one way, and the engine stands alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

import indico
from indico.tests.server_process import ROOT
from indico.tests.statements import statements_of

NAME = indico.__name__
PACKAGE = ROOT / NAME
ENGINE = PACKAGE / "engine"

# What each part of yours may import of the package, beside itself.
ALLOWED = {
    "server": {"__version__", "engine"},
    "doctor": {"server", "engine"},
    "migrate": {"server", "engine"},
    "jobs": {"server", "engine"},
    "seed": {"server", "config", "service", "db", "error", "engine"},
    "api": {"app", "config", "engine"},
    "app": {"__version__", "config", "routes", "web", "engine"},
    "config": {"engine"},
    "routes": {"handler", "config", "service", "db", "error", "utils"},
    "web": {"handler", "config", "service", "db", "error"},
    "handler": {"config", "service", "db"},
    "service": {"db", "error"},
    "utils": {"db", "error"},
    "db": {"error"},
    "error": set(),
    "__init__": set(),
}
# The modules that show what the engine offers.
FACES = {
    *("db/__init__.py", "db/migrations/__init__.py", "error/__init__.py"),
    *("handler.py", "routes/handler.py"),
    *("service/documents.py", "service/identities.py", "service/jobs.py", "service/offload.py"),
    "service/passwords.py",
    "service/webhooks.py",
    *("utils/__init__.py", "utils/auth/auth_utils.py"),
    *("web/handler.py", "web/language.py", "web/rendering.py"),
}
DRIVERS = {"motor", "pymongo", "bson", "gridfs"}


def yours() -> list[Path]:
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
    return [path for path in files if path.parts[0] not in ("engine", "tests")]


def layer(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def nodes(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in statements_of(path):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def imported(path: Path) -> set[str]:
    """Return the full names of what `path` imports."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


class YoursTest(TestCase):
    def test_one_way(self) -> None:
        for path in yours():
            allowed = ALLOWED[layer(path)] | ({"engine"} if str(path) in FACES else set())
            for name in imported(PACKAGE / path):
                top, *rest = name.split(".")
                if top == NAME and rest[0] != layer(path):
                    self.assertIn(rest[0], allowed, f"{path} imports {name}")

    def test_faces_list_what_they_offer(self) -> None:
        for face in FACES - {"utils/auth/auth_utils.py"}:
            self.assertIn("\n__all__ = [", (PACKAGE / face).read_text(), face)

    def test_no_driver(self) -> None:
        for path in yours():
            named = {name.split(".")[0] for name in imported(PACKAGE / path)} & DRIVERS
            self.assertFalse(named, f"{path} imports {named}")

    def test_service_and_db_know_nothing_of_http(self) -> None:
        for path in yours():
            if layer(path) in ("service", "db", "error"):
                for name in imported(PACKAGE / path):
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


class EngineTest(TestCase):
    """Rules that keep the folder the same in every project, its tests included."""

    covers = False

    def test_imports_nothing_outside_itself(self) -> None:
        for path in ENGINE.rglob("*.py"):
            depth = len(path.relative_to(ENGINE).parts)
            for node in nodes(path):
                if isinstance(node, ast.Import):
                    named = {alias.name.split(".")[0] for alias in node.names}
                elif node.level == 0:
                    named = {str(node.module).split(".")[0]}
                else:
                    named = set()
                    self.assertLessEqual(node.level, depth, f"{path} climbs out of the engine")
                self.assertNotIn(NAME, named, path)

    def test_never_spells_the_package_s_name(self) -> None:
        for path in ENGINE.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                spelled = NAME in path.read_text().lower()
                self.assertFalse(spelled, f"{path} spells the name of this project")

    def test_only_one_module_knows_which_driver(self) -> None:
        for path in ENGINE.rglob("*.py"):
            if "tests" not in path.parts:
                text = path.read_text()
                if re.search(r"^(from|import) motor|import AsyncMongoClient", text, re.M):
                    self.assertEqual(path, ENGINE / "mongo/driver.py")
