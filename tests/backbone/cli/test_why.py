"""`backbone why` and `backbone quarantine`, as typed: where none runs, and of one that runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from backbone import Backbone, load_settings
from tests.backbone.cli.conftest import Cli
from tests.backbone.facade.kit import START, bars

LINES = [
    "ts,symbol,open,high,low,close,volume",
    "2018-06-04T00:00:00Z,EURUSD,1.2,1.3,1.1,1.25,",
    "2018-06-04T01:00:00Z,EURUSD,1.2,1.3,1.1,nonsense,",
    "2018-06-04T02:00:00Z,EURUSD,1.2,1.3,1.1,-1,",
]
ALLOW = ("--set", "quality.nonpositive_prices=allow", "--set", "quality.inconsistent_bars=allow")


@pytest.fixture
def ingested(cli: Cli, tmp_path: Path) -> Cli:
    (tmp_path / "bars.csv").write_text("\n".join(LINES) + "\n")
    assert cli("ingest", "bars.csv", "--interval", "1h").code == 0
    return cli


def test_a_bar_is_explained_from_source_to_event(ingested: Cli, tmp_path: Path) -> None:
    done = ingested("why", "eurusd", "2018-06-04T00:30:00Z", "--quiet")
    assert done.code == 0
    for word in (
        f"csv:{tmp_path.resolve()}/bars.csv",
        "close 1.25",
        "stands",
        "run ",
        "event ",
        "at position 1",
        "cache: ",
    ):
        assert word in done.out
    assert "kept aside: bars.csv:3" in done.out
    report = json.loads(ingested("why", "EURUSD", "2018-06-04", "--format", "json").out)
    assert report["found"][0]["versions"][0]["values"]["close"] == 1.25
    assert "# Why" in ingested("why", "EURUSD", "2018-06-04", "--format", "markdown").out


def test_what_is_not_stored_is_said(ingested: Cli) -> None:
    assert "nothing is stored of it" in ingested("why", "NOBODY", "2018-06-04").out
    named = ingested("why", "EURUSD", "2018-06-09", "--dimension", "intraday")
    assert "no row at this moment; the newest before it is of 2018-06-04 00:00" in named.out


@pytest.mark.parametrize(
    "words", [("EURUSD",), ("EURUSD", "noon"), ("", "2018-06-04"), ("EURUSD", "2018-06-04", "--dimension", "x")]
)
def test_what_can_not_be_meant_exits_2(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("why", *words).code == 2


def test_bad_rows_are_listed_shown_judged_again_and_dropped(ingested: Cli) -> None:
    rows = json.loads(ingested("quarantine", "list", "--format", "json").out)["rows"]
    assert len(rows) == 2
    assert rows[0]["id"] in ingested("quarantine", "list").out
    [whole] = [row["id"] for row in rows if row["replayable"]]
    [text] = [row["id"] for row in rows if not row["replayable"]]
    shown = ingested("quarantine", "show", whole)
    assert "close: -1" in shown.out
    assert "mend its file" in ingested("quarantine", "show", text).out
    assert "went in: 0; stay: 1" in ingested("quarantine", "replay", whole).out
    done = ingested("quarantine", "replay", "--all", *ALLOW)
    assert "went in: 1; stay: 0; 1 are texts" in done.out
    assert "-1" in ingested("fetch", "--limit", "1", "--format", "csv").out
    assert ingested("quarantine", "drop", "--all").code == 2
    assert "dropped: 1" in ingested("quarantine", "drop", "--all", "--yes").out
    assert json.loads(ingested("quarantine", "list", "--format", "json").out)["rows"] == []


def test_rows_have_to_be_named(ingested: Cli) -> None:
    for words in (("replay",), ("drop",), ("replay", "00", "--all"), ("drop", "00", "--yes"), ("show", "00")):
        done = ingested("quarantine", *words)
        assert (done.code, "quarantine list" in done.err) == (2, True), words


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    async with Backbone.open(load_settings(profile="embedded")) as backbone:
        await backbone.record(bars(2))
        await backbone.record(bars(1, close=-5.0))
        yield


async def beside(cli: Cli, *words: str) -> str:
    """What a command says while a backbone runs."""
    done = await anyio.to_thread.run_sync(lambda: cli(*words))
    assert done.code == 0, done.err
    return done.out


async def test_a_running_backbone_is_asked(cli: Cli) -> None:
    said: Callable[..., Awaitable[str]] = lambda *words: beside(cli, *words)  # noqa: E731
    async with running():
        out = await said("why", "EURUSD", START.isoformat())
        assert "from live" in out
        assert "kept aside: EURUSD 1h" in out
        rows = json.loads(await said("quarantine", "list", "--format", "json"))["rows"]
        assert len(rows) == 1
        assert "stay: 1" in await said("quarantine", "replay", "--all")
        assert "dropped: 1" in await said("quarantine", "drop", rows[0]["id"], "--yes")
