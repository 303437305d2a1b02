"""Messages that nobody could read: listed, shown, dropped, sent back; without a running backbone and with one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from backbone.facade.backbone import Backbone
from backbone.settings import load_settings
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import DeadLetter
from backbone.stream.letters import Message
from tests.backbone.cli.conftest import Cli

EVIL = "\x1b[31mred\x1b[0m \x07\u202e"
AT = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = ["backbone.quotes/3/7", "backbone.trades/0/1042"]


def letters() -> list[DeadLetter]:
    message = Message(EVIL.encode(), b"\xff\x00" + EVIL.encode(), (("position", EVIL.encode()), (EVIL, None)))
    return [
        DeadLetter("backbone", "backbone.quotes", 3, 7, f"no header event_id given {EVIL}", message.packed(), AT),
        DeadLetter("backbone", "backbone.trades", 0, 1042, "no frame", b"{raw json", AT),
    ]


@pytest.fixture
def dlq(cli: Cli) -> Cli:
    """A command line over a store with two dead letters."""

    async def keep() -> None:
        store = DuckDBStore(Path("data/backbone.duckdb"))
        await store.open()
        await store.migrate()
        await store.add_dead_letters(letters())
        await store.close()

    Path("data").mkdir(0o700)
    anyio.run(keep)
    return cli


def places(answer: str) -> list[str]:
    return sorted(each["place"] for each in json.loads(answer)["letters"])


def test_letters_are_listed_with_where_they_lay_and_what_is_wrong(dlq: Cli) -> None:
    done = dlq("dlq", "list")
    assert done.code == 0
    for text in (*PLACES, "no frame", "no header event_id given", "{raw json", "dead letters: 2"):
        assert text in done.out
    assert places(dlq("dlq", "list", "--format", "json", "--quiet").out) == PLACES
    pages = [places(dlq("dlq", "list", "--limit", "1", "--skip", skip, "--format", "json").out) for skip in "012"]
    assert pages == [[PLACES[0]], [PLACES[1]], []]


@pytest.mark.parametrize("how", ["human", "json", "markdown"])
@pytest.mark.parametrize("words", [("list",), ("show", PLACES[0])])
def test_nothing_that_others_wrote_steers_the_terminal(dlq: Cli, words: Sequence[str], how: str) -> None:
    done = dlq("dlq", *words, "--format", how)
    assert done.code == 0
    assert not {"\x1b", "\x07", "\u202e"} & {*done.out, *done.err}
    assert PLACES[0] in done.out.replace("\\", "")


def test_one_is_shown_with_its_key_its_headers_and_its_value(dlq: Cli) -> None:
    [letter] = json.loads(dlq("dlq", "show", PLACES[0], "--format", "json").out)["letters"]
    assert (letter["group"], letter["bytes"]) == ("backbone", 2 + len(EVIL.encode()))
    assert next(name for name, _ in letter["headers"]) == "position"
    assert "\\xff" in letter["value"]
    assert "position" in dlq("dlq", "show", PLACES[0]).out


def test_some_or_all_are_dropped_once_somebody_says_so(dlq: Cli) -> None:
    refused = dlq("dlq", "drop", PLACES[0])
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert "dropped: 1" in dlq("dlq", "drop", PLACES[0], "--yes").out
    assert places(dlq("dlq", "list", "--format", "json").out) == [PLACES[1]]
    assert json.loads(dlq("dlq", "drop", "--all", "--yes", "--format", "json").out)["dropped"] == 1
    assert "there are no dead letters" in dlq("dlq", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "--limit", "0"), "allowed are 1 to 10000"),
        (("list", "--limit", "10001"), "--skip 10000 reads on"),
        (("list", "--skip", "-1"), "allowed are 1 to 10000"),
        (("show", "no place"), "there is no dead letter at 'no place'"),
        (("show", "backbone.quotes/3/-7"), "there is no dead letter at"),
        (("show", "nowhere/0/1"), "there is no dead letter at 'nowhere/0/1'"),
        (("drop", "nowhere/0/1", "--yes"), "backbone dlq list shows all"),
        (("drop", "--yes"), "or --all"),
        (("replay",), "or --all"),
        (("replay", PLACES[0], "--all"), "or --all"),
    ],
)
def test_what_can_not_be_meant_is_refused(dlq: Cli, words: Sequence[str], says: str) -> None:
    done = dlq("dlq", *words)
    assert done.code == 2
    assert says in done.err
    assert len(places(dlq("dlq", "list", "--format", "json").out)) == 2


def test_a_stream_within_the_process_takes_nothing_back_and_the_letters_stay(dlq: Cli) -> None:
    done = dlq("dlq", "replay", "--all")
    assert done.code != 0
    assert "stream.backend=kafka" in done.err
    assert places(dlq("dlq", "list", "--format", "json").out) == PLACES


def test_a_running_backbone_is_asked_for_them(dlq: Cli) -> None:
    async def listed() -> str:
        async with Backbone.open(load_settings(profile="embedded")):
            return (await anyio.to_thread.run_sync(lambda: dlq("dlq", "list", "--format", "json", "--quiet"))).out

    async def dropped() -> str:
        async with Backbone.open(load_settings(profile="embedded")):
            words = ("dlq", "drop", PLACES[0], "--yes", "--format", "json")
            return (await anyio.to_thread.run_sync(lambda: dlq(*words))).out

    assert places(anyio.run(listed)) == PLACES
    assert json.loads(anyio.run(dropped))["dropped"] == 1
    assert places(anyio.run(listed)) == [PLACES[1]]


def test_all_are_dropped_however_many_there_are(cli: Cli) -> None:
    async def keep() -> None:
        store = DuckDBStore(Path("data/backbone.duckdb"))
        await store.open()
        await store.migrate()
        many = [DeadLetter("backbone", "backbone.trades", 0, n, "no frame", b"{", AT) for n in range(10_450)]
        await store.add_dead_letters(many)
        await store.close()

    async def dropped() -> str:
        async with Backbone.open(load_settings(profile="embedded")):
            words = ("dlq", "drop", "--all", "--yes", "--format", "json")
            return (await anyio.to_thread.run_sync(lambda: cli(*words))).out

    Path("data").mkdir(0o700)
    anyio.run(keep)
    assert "backbone.trades/0/10449" in cli("dlq", "show", "backbone.trades/0/10449").out  # the 10,450th of the list
    assert json.loads(anyio.run(dropped))["dropped"] == 10_450
    assert places(cli("dlq", "list", "--format", "json").out) == []
