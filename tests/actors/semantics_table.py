"""Writes docs/reference/semantics.md from the numbers that tests carry in their docstrings.

Run it by `python -m tests.actors.semantics_table`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs" / "reference" / "semantics.md"

SECTIONS = {
    "Start and init": range(1, 15),
    "Restart types": range(15, 23),
    "Strategies": range(23, 33),
    "Intensity and escalation": range(33, 44),
    "Backoff": range(44, 54),
    "Shutdown": range(54, 72),
    "Administration and roster": range(72, 86),
    "Ask, tell, mailbox": range(86, 104),
}
ABSENT = {
    4: "supervisors are data: no user code can decline for one",
    43: "supervisors are data: no user code can fail in one",
    60: "nothing can detach itself from its supervisor",
    83: "not yet: state is read by `inspect()`, it can't be replaced from outside",
    94: "not yet: idle timeouts; use `send_after` with a key",
    95: "not yet: work before the first message; use `after_start`",
    102: "not yet: worker pools",
}
INTRODUCTION = """# Semantics, and the test that holds each

The behaviour of the actor runtime is a list of numbered sentences; where another system is known for one, the runtime
follows it (OTP's `supervisor` and `gen_server`, Pekko's backoff, kameo's mailboxes). Each sentence is the name of a
test, and all tests run on a virtual clock, so that none waits. This page is generated from the tests:
`python -m tests.actors.semantics_table`.
"""


def covered() -> tuple[dict[int, list[tuple[str, str]]], list[tuple[str, str, str]]]:
    """Tests by number, as (sentence, file), and the tests of hazards, as (hazard, sentence, file)."""
    numbers: dict[int, list[tuple[str, str]]] = defaultdict(list)
    hazards: list[tuple[str, str, str]] = []
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                continue
            docstring, sentence = ast.get_docstring(node) or "", node.name.removeprefix("test_").replace("_", " ")
            if match := re.match(r"(\d+(?:, ?\d+)*)\.", docstring):
                for number in match[1].split(","):
                    numbers[int(number)].append((sentence, path.name))
            elif docstring.startswith("hazard:"):
                hazards.append((docstring.removeprefix("hazard:").split("\n")[0].strip(), sentence, path.name))
    return numbers, hazards


def applicable() -> set[int]:
    """All numbers that the runtime has to hold."""
    return {number for numbers in SECTIONS.values() for number in numbers} - ABSENT.keys()


def page() -> str:
    """The whole page."""
    numbers, hazards = covered()
    lines = [INTRODUCTION]
    for title, section in SECTIONS.items():
        lines += [f"## {title}", "", "| no. | semantic, as its test says it | test |", "|---|---|---|"]
        for number in section:
            absent = [(ABSENT[number], "")] if number in ABSENT else []
            lines += [f"| {number} | {text} | {file and f'`{file}`'} |" for text, file in numbers[number] or absent]
        lines.append("")
    lines += [
        "## Hazards of asyncio runtimes, and the remedies' tests",
        "",
        "| hazard | held by | test |",
        "|---|---|---|",
    ]
    lines += [f"| {hazard} | {text} | `{file}` |" for hazard, text, file in sorted(hazards)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
