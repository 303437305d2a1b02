"""What source texts import, found without looking at expressions, which are most of a tree and hold none of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["imports_of", "roots_of"]

_INSIDE = ("body", "orelse", "finalbody", "handlers", "cases")


def _imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        for name in _INSIDE:
            waiting += getattr(node, name, ())


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules that a file imports, wherever it does, and the names that it takes from them, with their module."""
    found: set[str] = set()
    for node in _imports(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def roots_of(folder: Path) -> frozenset[str]:
    """The first words of all that the files of a folder import, but for what stands beside them."""
    found: set[str] = set()
    for path in folder.glob("**/*.py"):
        for node in _imports(path):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return frozenset(found)
