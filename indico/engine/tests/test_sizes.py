"""No module of the engine is too long to be read at once, and no class has several jobs."""

from __future__ import annotations

import ast
from pathlib import Path
from unittest import TestCase

ENGINE = Path(__file__).resolve().parents[1]
MODULE_LINES = 300
CLASS_LINES = 150


class SizesTest(TestCase):
    covers = False

    def test_modules_and_classes(self) -> None:
        for path in ENGINE.rglob("*.py"):
            if "tests" in path.relative_to(ENGINE).parts:
                continue
            text = path.read_text()
            self.assertLessEqual(text.count("\n"), MODULE_LINES, path)
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    self.assertLessEqual(lines, CLASS_LINES, f"{path}: {node.name}")
