"""The statements of a file of Python, for tests of rules that each file keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_HAVE_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def statements_of(path: Path) -> Iterator[ast.AST]:
    """Yield the module and all statements in it; a walk of the expressions too takes long."""
    left: list[ast.AST] = [ast.parse(path.read_text())]
    while left:
        yield (node := left.pop())
        children = ast.iter_child_nodes(node)
        left.extend(child for child in children if isinstance(child, _HAVE_STATEMENTS))
