"""Several providers as one: the first counts, the next fills, and what they disagree about is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from backbone.domain import Dimension, Frame
from backbone.settings import Settings, load_settings
from backbone.sources import registry
from backbone.sources.errors import InputInvalid, SourceError, SourceUnavailable
from backbone.sources.port import BadRow, Progress, SourceChunk
from backbone.sources.registry import open_source
from tests.backbone.sources.server import Provider, as_json
from tests.backbone.sources.shapes import chart, observations, path

START = datetime(2024, 3, 4, tzinfo=UTC)
HELD: dict[str, dict[int, float] | Exception] = {}


class Fake:
    """Closes by day; bound to the name of a provider by `first` and `second`."""

    def __init__(self, name: str, dimension: Dimension, symbols: tuple[str, ...]) -> None:
        self.name = name
        self._dimension = dimension
        self._symbols = symbols

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        held = HELD[self.name]
        if isinstance(held, Exception):
            raise held
        for symbol in self._symbols:
            rows = [
                {"symbol": symbol, "ts": START + timedelta(days=day), "open": close, "high": close, "low": close,
                 "close": close}
                for day, close in held.items()
            ]  # fmt: skip
            bad = BadRow(f"{self.name} {symbol}", "odd", "odd")
            yield SourceChunk(Frame.from_records(self._dimension, rows), (bad,), "", len(rows))


def first(dimension: Dimension, symbols: tuple[str, ...]) -> Fake:
    return Fake("first", dimension, symbols)


def second(dimension: Dimension, symbols: tuple[str, ...]) -> Fake:
    return Fake("second", dimension, symbols)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(name, f"{__name__}:{name}", registry.GROUP) for name in ("first", "second")]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points if group == registry.GROUP else [])
    HELD.clear()


def settings(**changes: Any) -> Settings:
    chosen = {"providers.multi.providers": "first,second", **changes}
    return load_settings(profile="embedded", overrides=chosen)


def closes(of: Settings, *symbols: str) -> tuple[dict[int, float], list[str], int]:
    source = open_source("multi", {"symbols": symbols or ("ACME",), "settings": of}, dimension=Dimension.DAILY_BARS)
    chunks = list(source.chunks())
    whole = Frame.concat([chunk.frame for chunk in chunks]).to_arrow().to_pylist()
    bad = sum(len(chunk.quarantined) for chunk in chunks)
    return {(row["ts"] - START).days: row["close"] for row in whole}, source.account.notes, bad  # type: ignore[attr-defined]


def test_the_first_provider_counts_and_the_next_fills_what_it_lacks() -> None:
    HELD.update(first={0: 1.0, 1: 2.0, 3: 4.0}, second={0: 1.001, 2: 3.0, 3: 4.0})
    found, notes, bad = closes(settings())
    assert found == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}
    assert bad == 2
    assert notes == [
        "ACME: 1 moments are those of second, from 2024-03-06 00:00 to 2024-03-06 00:00",
        "ACME: warn: first has 3 of 4 rows that any provider has (75%)",
        "ACME: warn: second has 3 of 4 rows that any provider has (75%)",
    ]


@pytest.mark.parametrize(("rows", "level"), [(10, ""), (9, ""), (8, "warn"), (7, "error")])
def test_how_much_of_all_rows_a_provider_has_is_judged(rows: int, level: str) -> None:
    HELD.update(first=dict.fromkeys(range(10), 1.0), second=dict.fromkeys(range(rows), 1.0))
    _, notes, _ = closes(settings(**{"providers.multi.stale_days": 30}))
    assert notes == (
        [f"ACME: {level}: second has {rows} of 10 rows that any provider has ({rows / 10:.0%})"] if level else []
    )


def test_a_provider_that_has_fallen_behind_is_told() -> None:
    HELD.update(first={0: 1.0, 9: 1.0}, second={0: 1.0, 5: 1.0})
    _, notes, _ = closes(settings(**{"providers.multi.warn_coverage": 0.0, "providers.multi.fail_coverage": 0.0}))
    assert notes[1:] == ["ACME: warn: the newest row of second is 4 days older than that of another provider"]


def test_closes_that_differ_are_told_with_how_many_and_how_far() -> None:
    HELD.update(first={0: 100.0, 1: 100.0, 2: 100.0}, second={0: 100.5, 1: 102.0, 2: 90.0})
    _, notes, _ = closes(settings())
    assert notes == ["ACME: warn: 2 of 3 values of second differ from first by over 1.00%, at most 10.00%"]


@pytest.mark.parametrize("error", [SourceUnavailable("it is down"), RuntimeError("it is down")])
def test_a_provider_that_gives_nothing_is_told_and_the_others_do(error: Exception) -> None:
    HELD.update(first=error, second={0: 1.0})
    found, notes, _ = closes(settings())
    assert found == {0: 1.0}
    assert notes[0].startswith("ACME: first gave nothing: ")
    assert notes[0].endswith("it is down")


def test_where_no_provider_gives_anything_the_first_reason_is_told() -> None:
    HELD.update(first=SourceUnavailable("it is down", retry_after=30), second=InputInvalid("it is odd"))
    with pytest.raises(SourceUnavailable, match="multi ACME: it is down") as caught:
        closes(settings())
    assert caught.value.retry_after == 30


def test_a_provider_that_never_has_what_is_asked_for_costs_the_others_nothing() -> None:
    HELD.update(first={0: 1.0})
    found, notes, _ = closes(settings(**{"providers.multi.providers": "fred,first,yahoo"}), "A/B")
    assert found == {0: 1.0}
    assert notes[:2] == [
        "A/B: fred gave nothing: daily_bars asked of fred; it has macro_events",
        "A/B: yahoo gave nothing: symbol 'A/B' given; yahoo's have 1 to 32 letters, digits and any of _ . = ^ -",
    ]


def test_a_key_in_the_words_of_a_provider_is_shown_in_no_note() -> None:
    HELD.update(first=RuntimeError("GET https://x.example/a?api_key=f00dfeed"), second={0: 1.0})
    assert "f00dfeed" not in str(closes(settings())[1])


def test_minutes_are_asked_for_as_far_as_they_are_kept_where_the_plan_names_no_start(provider: Provider) -> None:
    provider.answer(path(), as_json(chart(timestamp=None)))
    chosen = {"yahoo.base_url": provider.url, "yahoo.rate": 1000.0, "multi.providers": "yahoo"}
    of = settings(**{f"providers.{name}": value for name, value in chosen.items()})
    now = START + timedelta(days=90)
    given = {"symbols": ("ACME",), "settings": of, "now": lambda: now, "interval": "1m"}
    list(open_source("multi", given, dimension="intraday").chunks())
    first = datetime.fromtimestamp(int(provider.seen[0].query["period1"]), UTC)
    assert timedelta(days=29) < now - first < timedelta(days=30)


def test_revisions_that_are_not_kept_are_told(provider: Provider) -> None:
    known = observations(("2024-01-01", "1.5", "2024-02-13"), ("2024-01-01", "1.75", "2024-03-13"))
    provider.answer("/fred/series/observations", as_json(known))
    chosen = {"fred.base_url": provider.url, "fred.key": "0123456789abcdef" * 2, "multi.providers": "fred"}
    of = settings(**{f"providers.{name}": value for name, value in chosen.items()})
    source = open_source("multi", {"symbols": ("CPIAUCSL",), "settings": of}, dimension="macro")
    (chunk,) = source.chunks()
    assert chunk.frame.to_arrow().column("actual").to_pylist() == [1.75]
    (note,) = source.account.notes  # type: ignore[attr-defined]
    assert note.startswith("CPIAUCSL: warn: fred has revisions, of which the newest alone are taken; ingest from fred")


@pytest.mark.parametrize("wrong", ["csv", "multi", "nobody", ",", "first,parquet"])
def test_who_is_no_provider_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"providers\.multi\.providers=.* given; allowed are several of .*first, fred"):
        open_source(
            "multi",
            {"symbols": ("A",), "settings": settings(**{"providers.multi.providers": wrong})},
            dimension="daily",
        )


def test_of_no_symbols_nobody_is_asked() -> None:
    with pytest.raises((ValueError, SourceError), match="no symbols given"):
        open_source("multi", {"settings": settings()}, dimension="daily")
