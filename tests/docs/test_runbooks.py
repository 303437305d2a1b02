"""The runbooks speak of lines that the product says: each phrase that they quote stands in its source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/runbooks/index.md").read_text(encoding="utf-8")
VARYING = re.compile(r"…|: | and |\d+\w*(?: s\b)?|\b[A-Z]{3,}\b")
"""What stands between the fixed parts of a line: values, and the joints at which lines are put together."""


def said() -> str:
    """All texts of the source; values in f-strings are left out."""
    files = [path for folder in ("actors", "backbone", "compose") for path in (ROOT / folder).rglob("*.py")]
    return "\n".join(text for path in files for text in texts(ast.parse(path.read_text(encoding="utf-8"))))


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts in a file, f-strings whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def phrases() -> Iterator[str]:
    """The fixed parts of what the first column quotes, of at least two words."""
    for line in re.findall(r"^\| (?!you see|---)(.+?) \|", PAGE, re.MULTILINE):
        for quoted in re.findall(r"`([^`]+)`", line):
            parts = (part.strip(" ;()=") for part in VARYING.split(quoted))
            yield from (part for part in parts if " " in part)


def test_every_phrase_of_a_runbook_is_said_by_the_product() -> None:
    corpus = said()
    found = list(phrases())
    assert len(found) > 20
    assert [phrase for phrase in found if phrase not in corpus] == []
