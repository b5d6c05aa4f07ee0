"""Plain English: how docstrings begin, how long the README is, and which pages the index names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import TestCase

import indico
from indico.tests.server_process import ROOT
from indico.tests.statements import statements_of

PACKAGE = ROOT / indico.__name__
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)
# Words that stand for a thing instead of naming it, or that begin half a sentence.
VAGUE = set(
    re.findall(
        r"\w+",
        """
        who what that those these this such whether it its they their he she his her we our
        ours you ones others whoever whatever which whose where when how why until
        once after before while as at of to in on by from with without within between under
        over for if because so but and or not also beyond beside behind inside outside
        """,
    )
)
ARTICLES = {"a", "an", "the", "all", "any", "each", "every", "both", "no", "some", "two", "three"}
# Third persons that no function of this package is named for in its imperative form.
THIRD_PERSONS = {"has", "is", "does", "says", "lets", "gives", "holds", "knows", "tells", "needs"}
NOUNS = {"tests", "settings", "limits", "counts", "times"}  # as well as verbs
IMPERATIVES_IN_S = {"pass", "process", "compress", "discuss", "access", "miss", "focus"}


class Docstring(NamedTuple):
    place: str
    node: ast.AST
    text: str

    @property
    def first(self) -> str:
        """Return the first word in lower case, or "" where code comes first."""
        word = re.match(r"[A-Za-z'-]+", self.text.strip())
        return word[0].lower() if word else ""


def docstrings() -> Iterator[Docstring]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in statements_of(path):
            if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                yield Docstring(place, node, text)


def is_action(node: ast.AST) -> bool:
    """Return whether the docstring of a function has to say what to do.

    A property is a thing, and a test may state what holds.
    """
    if not isinstance(node, FUNCTIONS) or node.name.startswith("test"):
        return False
    decorators = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
    return not any(name.endswith(("property", ".setter")) for name in decorators)


class DocstringTest(TestCase):
    covers = False
    maxDiff = None
    found: list[Docstring]

    @classmethod
    def setUpClass(cls) -> None:
        cls.found = list(docstrings())

    def test_none_begins_with_a_vague_word(self) -> None:
        wrong = [f"{each.place} {each.first}" for each in self.found if each.first in VAGUE]
        self.assertEqual(wrong, [], "name the thing")

    def test_functions_begin_with_an_imperative(self) -> None:
        wrong = [
            f"{each.place} {each.first}"
            for each in self.found
            if is_action(each.node) and not self.may_be_imperative(each.first)
        ]
        self.assertEqual(wrong, [], "such as: Return the missing indexes.")

    @staticmethod
    def may_be_imperative(word: str) -> bool:
        if word in ARTICLES or word.endswith(("ing", "ed")):
            return word in {"bring", "feed", "need", "ping"}
        return not word.endswith("s") or word in IMPERATIVES_IN_S

    def test_classes_begin_with_a_noun(self) -> None:
        verbs = {each.first for each in self.found if is_action(each.node)}
        third = {f"{verb}s" for verb in verbs} | {f"{verb}es" for verb in verbs} | THIRD_PERSONS
        wrong = [
            f"{each.place} {each.first}"
            for each in self.found
            if isinstance(each.node, ast.ClassDef) and each.first in third - NOUNS
        ]
        self.assertEqual(wrong, [], "such as: A page of addresses.")


class PagesTest(TestCase):
    def test_length_of_the_readme(self) -> None:
        self.assertLessEqual(len((ROOT / "README.md").read_text().splitlines()), 150)

    def test_lines_are_short(self) -> None:
        """All but tables and code fit into an editor, and into a diff."""
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PACKAGE.rglob("*.md")]:
            text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
            long = [line for line in text.splitlines() if len(line) > 120 and line[0] != "|"]
            if page.name != "api.md":  # which a program writes
                self.assertEqual(long, [], page)

    def test_the_index_names_each_page(self) -> None:
        docs = ROOT / "docs"
        named = set(re.findall(r"\]\(([^)#]+)", (docs / "README.md").read_text()))
        pages = {str(page.relative_to(docs)) for page in docs.glob("*.md")} - {"README.md"}
        self.assertEqual(pages - named, set())

    def test_links_lead_somewhere(self) -> None:
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PACKAGE.rglob("*.md")]:
            for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if "://" not in target:
                    self.assertTrue(Path(page.parent, target).exists(), f"{page}: {target}")
