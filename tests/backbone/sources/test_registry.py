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
    with pytest.raises(SourceError, match=r"no source 'parket'; there are broken, csv, parquet, stub; .*'parquet'"):
        open_source("parket")


def test_a_plugin_is_found_and_a_broken_one_named(plugins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_sources() == ("broken", "csv", "parquet", "stub")
    monkeypatch.setattr(EntryPoint, "load", lambda self: make_stub if self.name == "stub" else _fail())
    assert vars(open_source("stub", path="x"))["path"] == "x"
    with pytest.raises(SourceError, match=r"'broken' \(nowhere.at.all:Source\) can't be loaded"):
        open_source("broken")


def _fail() -> None:
    raise ImportError("no module named nowhere")


def test_options_a_source_does_not_take_are_refused_with_those_it_takes() -> None:
    with pytest.raises(SourceError, match=r"unexpected keyword argument 'url'; it takes path, dimension"):
        open_source("csv", path="x", dimension="daily", url="y")
