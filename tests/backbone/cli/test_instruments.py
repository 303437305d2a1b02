"""What a symbol is taken for, told on the command line with what says so."""

import json
import re
from pathlib import Path
from shlex import split

from backbone.cli.exits import DONE, USAGE
from tests.backbone.cli.conftest import Cli

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "instruments.md"
RULES = (
    'instruments.rules=[{"symbols": "ES*", "calendar": "CME", "nonpositive": false}, {"symbols": "*", "kind": "etf"}]'
)


def test_what_the_page_shows_is_what_the_command_says(cli: Cli) -> None:
    [(words, shown)] = re.findall(r"^\$ backbone (instruments .*)\n((?:.+\n)+)```", PAGE.read_text(), re.MULTILINE)
    done = cli(*split(words))
    assert (done.code, done.out) == (DONE, shown)


def test_each_thing_names_the_setting_that_says_it(cli: Cli) -> None:
    named = ("--set", "quality.sessions=aapl=us_equities", "--set", RULES)
    done = cli("instruments", "ESH24,AAPL", "EURUSD", *named, "--format", "json")
    future, share, pair = json.loads(done.out)["instruments"]
    first, second = "instruments.rules, number 1: ES*", "instruments.rules, number 2: *"
    assert future["calendar"] == {"value": "cme", "by": first}
    assert (future["nonpositive"], future["kind"]) == ({"value": False, "by": first}, {"value": "etf", "by": second})
    assert share["calendar"] == {"value": "us_equities", "by": "quality.sessions: AAPL"}
    assert pair["calendar"] == {"value": "none", "by": "nothing says it"}
    assert pair["tick"] == {"value": None, "by": "nothing says it"}


def test_what_holds_for_all_is_named_too(cli: Cli) -> None:
    given = ("--set", "quality.session=fx", "--set", "quality.nonpositive_prices=allow")
    [found] = json.loads(cli("instruments", "X", *given, "--format", "json").out)["instruments"]
    assert found["calendar"] == {"value": "fx", "by": "quality.session"}
    assert found["nonpositive"] == {"value": True, "by": "quality.nonpositive_prices"}


def test_markdown_is_one_table(cli: Cli) -> None:
    done = cli("instruments", "BTC-USD", "CLK0", "--format", "markdown")
    assert "| CLK0 | prices | may be zero or less | kind future |" in done.out
    assert done.out.count("\n| BTC-USD |") == done.out.count("\n| CLK0 |") == 4


def test_without_a_symbol_it_says_what_to_give(cli: Cli) -> None:
    done = cli("instruments")
    assert (done.code, "name at least one" in done.err) == (USAGE, True)
