"""The notebooks run from top to bottom, each cell in a task of its own on one loop, as Jupyter runs them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/examples/notebooks").glob("*.ipynb"))


def run_notebook(path: Path) -> list[Any]:
    """What the last line of each cell gives, where it is an expression."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        return [
            runner.run(run_cell("".join(cell["source"]), names))
            for cell in json.loads(path.read_text())["cells"]
            if cell["cell_type"] == "code"
        ]


async def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run it, with `await` outside of any function."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None  # type: ignore[attr-defined]
    for part in (tree, last):
        if part is None:
            return None
        mode = "exec" if part is tree else "eval"
        value = eval(compile(part, "<cell>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307  our own cells
        value = await value if inspect.iscoroutine(value) else value
    return value


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_keeps_no_output(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = run_notebook(path)
    drawn = [value for value in values if hasattr(value, "_repr_html_")]
    assert len(drawn) == 2
    assert all("<table" in value._repr_html_() for value in drawn)
    cells = json.loads(path.read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells), "outputs would go stale: clear them before committing"
