"""Sources by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from backbone.sources import registry
from backbone.sources.csv import CsvSource
from backbone.sources.errors import SourceError
from backbone.sources.registry import available_sources, open_source


def make_stub(path: str) -> SimpleNamespace:
    return SimpleNamespace(name="stub", path=path, chunks=list)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("stub", f"{__name__}:make_stub", registry.GROUP),
        EntryPoint("broken", "nowhere.at.all:Source", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points if group == registry.GROUP else [])


def test_a_source_is_made_by_its_name_in_any_case_and_none_counts_as_not_given() -> None:
    source = open_source(" CSV ", path=Path("bars.csv"), dimension="daily", symbol="SPY", zone=None, interval=None)
    assert isinstance(source, CsvSource)
    assert source.describe() == "csv bars.csv (daily_bars)"


def test_an_unknown_kind_lists_what_there_is(plugins: None) -> None:
    with pytest.raises(
        SourceError, match=r"no source 'parket'; there are broken, csv, fred, multi, parquet, stub, yahoo; .*'parquet'"
    ):
        open_source("parket")


def test_a_plugin_is_found_and_a_broken_one_named(plugins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_sources() == ("broken", "csv", "fred", "multi", "parquet", "stub", "yahoo")
    monkeypatch.setattr(EntryPoint, "load", lambda self: make_stub if self.name == "stub" else _fail())
    assert vars(open_source("stub", path="x"))["path"] == "x"
    with pytest.raises(SourceError, match=r"'broken' \(nowhere.at.all:Source\) can't be loaded"):
        open_source("broken")


def _fail() -> None:
    raise ImportError("no module named nowhere")


def test_options_a_source_does_not_take_are_refused_with_those_it_takes() -> None:
    with pytest.raises(SourceError, match=r"unexpected keyword argument 'url'; it takes path, dimension"):
        open_source("csv", path="x", dimension="daily", url="y")


class Taking:
    """A source that takes what it names; `everything` also what it does not."""

    name = "taking"

    def __init__(self, dimension: str, symbols: tuple[str, ...] = (), **everything: object) -> None:
        self.given = {"dimension": dimension, "symbols": symbols, **everything}

    def chunks(self) -> list[object]:
        return []


def of_symbols(dimension: str, symbols: tuple[str, ...] = ()) -> Taking:
    return Taking(dimension, symbols)


def test_a_source_is_offered_what_it_takes_and_has_to_take_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(name, f"{__name__}:{name}", registry.GROUP) for name in ("of_symbols", "Taking")]
    points[1] = EntryPoint("taking", f"{__name__}:Taking", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points)
    offered = {"symbols": ("A",), "zone": "UTC", "now": None}
    few, all_of_it = (
        open_source("of_symbols", offered, dimension="daily"),
        open_source("taking", offered, dimension="daily"),
    )
    assert vars(few)["given"] == {"dimension": "daily", "symbols": ("A",)}
    assert vars(all_of_it)["given"] == {"dimension": "daily", "symbols": ("A",), "zone": "UTC"}
    with pytest.raises(SourceError, match="unexpected keyword argument 'zone'; it takes dimension, symbols"):
        open_source("of_symbols", offered, dimension="daily", zone="UTC")
