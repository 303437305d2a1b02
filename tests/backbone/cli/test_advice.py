"""What messages advise exists: every `backbone WORD` that an operator is told to type is a command."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import backbone
from backbone.cli.table import COMMANDS, NOT_BUILT, names
from backbone.domain.advice import INSTEAD
from tests.backbone.cli.conftest import Cli

HOUSE = Path(backbone.__file__).parent
TYPED = re.compile(r"backbone ((?:[a-z]+ ?)+)")


def texts(node: ast.AST) -> Iterator[str]:
    """The literal parts of every string below a node."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def holding(words: str) -> Iterator[ast.Module]:
    """The trees of the modules in whose text these words stand: to look is cheaper than to parse."""
    for path in HOUSE.rglob("*.py"):
        text = path.read_text()
        if words in text:
            yield ast.parse(text)


def actions() -> Iterator[str]:
    """The `action` of every health that is reported, as far as it is literal."""
    for module in holding("report_health"):
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "report_health" and len(node.args) > 3:
                yield from texts(node.args[3])


def quoted() -> Iterator[str]:
    """Commands in backticks, in any message."""
    for module in holding("`backbone "):
        for text in texts(module):
            yield from re.findall(r"`(backbone [a-z][^`\n]*)`", text)


ADVICE = sorted({*actions(), *quoted(), *INSTEAD.values(), *NOT_BUILT.values()})


@pytest.mark.parametrize("text", ADVICE)
def test_it_names_only_commands_that_exist(text: str) -> None:
    for found in TYPED.findall(text):
        assert found.split()[0] in (*names(), "help"), found
    assert "runbook" not in text
    assert "--profile institutional" not in text


@pytest.mark.parametrize("word", sorted(NOT_BUILT))
def test_what_is_not_built_is_no_command(cli: Cli, word: str) -> None:
    assert word not in {command.words[0] for command in COMMANDS}
    assert cli(word)[:2] == (2, "")
