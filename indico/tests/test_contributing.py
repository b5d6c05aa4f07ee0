"""CONTRIBUTING.md: resources are deleted by the lists there, and the rest still works."""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import indico
from indico.engine.tests import runner
from indico.tests.copy_test import HALF_WRITTEN, CopyTest
from indico.tests.deploy.programs import needs
from indico.tests.server_process import ROOT

RUFF = needs("yes" if find_spec("ruff") else None, "ruff")
ENGINE = Path(indico.__name__, "engine")
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# What a step deletes in a file, and the code spans that say which.
DELETION = r"In `(\S+)`, delete (each line with|the definitions? of|the sections?) (.*?)\.(?=\s|\Z)"
# Tests of your parts together; each other test module is imported only.
TESTS = [
    *("db.test_db", "db.test_owned", "routes.test_user.GetTest", "routes.test_user.DeleteTest"),
    *("routes.test_system", "test_api", "test_app", "test_calling", "test_config"),
    *("test_imports.YoursTest", "web.test_pages"),
]
# One process writes the page of the API and runs the tests, because the imports take longest.
RUN = f"""
import runpy, sys, unittest
tests, sys.argv[1:] = sys.argv[1:], []
runpy.run_module("{indico.__name__}.api", run_name="__main__")
unittest.main(None, argv=["unittest", *tests])
"""
FIND = f"""
from {runner.__name__} import *
print(*find(SUITES["all"].modules))
"""


def delete_lines(text: str, word: str) -> str:
    return "".join(line for line in text.splitlines(True) if word not in line.lower())


def delete_definition(text: str, name: str) -> str:
    """Delete a function with its decorators, or a field of a class."""
    lines = text.splitlines(True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            del lines[first - 1 : node.end_lineno]
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines).rstrip() + "\n"


def delete_section(text: str, title: str) -> str:
    return re.sub(rf"^(##?) {re.escape(title)}\n.*?(?=^\1 |\Z)", "", text, flags=re.M | re.S)


def delete(root: Path, what: str) -> None:
    """Do what the list says of `what`, which leaves the engine as it is."""
    (steps,) = re.findall(rf"- \*\*{what}\*\*.*?(?=^\S|\Z)", PAGE, re.M | re.S)
    for pattern in re.findall(r"`(.*?)`", steps[steps.index("  1.") : steps.index("  2.")]):
        files = [path for path in root.glob(pattern) if path.is_file()]
        assert files, pattern
        for file in files:
            assert ENGINE not in file.relative_to(root).parents, file
            file.unlink()
    kinds = {"e": delete_lines, "d": delete_definition, "s": delete_section}
    for names, kind, which in re.findall(DELETION, steps, re.S):
        for path in root.glob(names):
            assert ENGINE not in path.relative_to(root).parents, path
            for span in re.findall(r"`(.*?)`", which):
                text = path.read_text()
                left = kinds[kind.removeprefix("the ")[0]](text, span)
                assert left != text, f"{span} is not in {path}"
                path.write_text(left)


class DeleteTest(CopyTest):
    """Base of tests of a copy of the project without `what`."""

    what: str

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="test-"))
        cls.root = Path(folder, "copy")
        hidden = shutil.ignore_patterns(".[!c]*", ".c[!i]*", HALF_WRITTEN)
        shutil.copytree(ROOT, cls.root, ignore=hidden)
        delete(cls.root, cls.what)

    def check_style(self) -> None:
        self.run_python("-m", "ruff", "check", ".", "--extend-exclude", str(ENGINE))

    def run_modules(self, *modules: str, first: str = "") -> str:
        """Run the code `first`, write the page of the API, and run tests; return the output."""
        tests = __name__.rpartition(".")[0]
        return self.run_suite("-c", first + RUN, *(f"{tests}.{module}" for module in modules))


class DeletePagesTest(DeleteTest):
    """Copy of the project without the pages."""

    what = "The pages"

    @RUFF
    def test_style(self) -> None:
        self.check_style()

    def test_nothing_is_left_that_needs_them(self) -> None:
        self.assertNotRegex((self.root / "indico/app.py").read_text(), r"\bweb\b")
        rules = ("test_english.PagesTest", "test_app.DocumentationTest")
        self.run_modules("test_ci", "test_config", "test_imports.YoursTest", *rules)


class DeleteWebhooksTest(DeleteTest):
    """Copy of the project without webhooks."""

    what = "Webhooks"

    @RUFF
    def test_style(self) -> None:
        self.check_style()

    def test_nothing_is_left_that_needs_them(self) -> None:
        for path in (self.root / "indico").rglob("*.py"):
            if "engine" not in path.parts and path.name != Path(__file__).name:
                self.assertNotIn("webhook", path.read_text().lower(), path)
        rules = ("test_english.PagesTest", "test_app.DocumentationTest")
        self.run_modules("test_imports.YoursTest", "deploy.test_kubernetes.ManifestsTest", *rules)


class DeleteAddressBookTest(DeleteTest):
    """Copy of the project without the address book."""

    seconds = 20
    what = "The address book"

    @RUFF
    def test_style(self) -> None:
        self.check_style()

    def test_the_other_tests(self) -> None:
        """All of them can be imported, and some of them are run."""
        found = self.run_modules(*TESTS, first=FIND)
        self.assertIn("tests.test_app:MapTest", found)
        self.assertNotIn("_FailedTest", found)  # a module that can't be imported
