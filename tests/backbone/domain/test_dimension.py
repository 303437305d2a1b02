from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from backbone.domain import Dimension


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("daily_bars", Dimension.DAILY_BARS),
        (" Daily-Bar ", Dimension.DAILY_BARS),
        ("daily", Dimension.DAILY_BARS),
        ("INTRADAY", Dimension.INTRADAY_BARS),
        ("intraday-bar", Dimension.INTRADAY_BARS),
        ("intraday_trades", Dimension.TRADES),
        ("ticks", Dimension.TRADES),
        ("quotes", Dimension.QUOTES),
        ("Order-Book", Dimension.ORDER_BOOK),
        ("macro", Dimension.MACRO_EVENTS),
        ("macro_event", Dimension.MACRO_EVENTS),
        (Dimension.QUOTES, Dimension.QUOTES),
    ],
)
def test_a_dimension_is_read_from_its_name_or_an_alias(text: str, expected: Dimension) -> None:
    assert Dimension.parse(text) is expected


@pytest.mark.parametrize("text", ["", "bars", "daily bars", "daily__bars"])
def test_an_unknown_dimension_is_refused_with_the_list_of_those_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown dimension .*daily_bars, intraday_bars.*ticks \(trades\)"):
        Dimension.parse(text)


@pytest.mark.parametrize("given", [None, 3, b"daily"])
def test_what_is_no_text_is_refused_like_an_unknown_dimension(given: object) -> None:
    with pytest.raises(ValueError, match="unknown dimension"):
        Dimension.parse(given)  # type: ignore[arg-type]


def test_columns_are_the_key_and_then_the_values() -> None:
    assert Dimension.DAILY_BARS.columns == ("symbol", "ts", "open", "high", "low", "close", "volume", "adj_close")
    assert Dimension.INTRADAY_BARS.columns == ("symbol", "interval", "ts", "open", "high", "low", "close", "volume")
    assert Dimension.TRADES.columns == ("symbol", "ts", "sequence", "price", "size", "venue", "conditions")
    assert Dimension.QUOTES.columns == ("symbol", "ts", "sequence", "bid", "bid_size", "ask", "ask_size", "venue")
    assert Dimension.ORDER_BOOK.columns == ("symbol", "ts", "sequence", "side", "level", "price", "size")
    assert Dimension.MACRO_EVENTS.columns == (
        *("calendar", "event", "ts", "currency", "actual", "forecast", "previous", "importance", "category"),
    )


def test_kinds_are_known_without_arrow() -> None:
    assert dict(Dimension.ORDER_BOOK.kinds) == {
        "symbol": "string",
        "ts": "timestamp",
        "sequence": "int64",
        "side": "string",
        "level": "int64",
        "price": "double",
        "size": "double",
    }
    assert Dimension.MACRO_EVENTS.kinds["actual"] == "double"
    assert Dimension.MACRO_EVENTS.kinds["importance"] == "string"


def test_every_dimension_is_partitioned_by_the_first_column_of_its_key() -> None:
    assert {d: d.partition_column for d in Dimension} == {
        **dict.fromkeys(Dimension, "symbol"),
        Dimension.MACRO_EVENTS: "calendar",
    }


def test_only_intraday_bars_have_an_interval() -> None:
    assert [d for d in Dimension if d.has_interval] == [Dimension.INTRADAY_BARS]


def test_chunks_are_as_long_as_documented() -> None:
    assert [d.chunk for d in Dimension] == [timedelta(days=n) for n in (365, 30, 1, 1, 1, 365)]


def test_naming_dimensions_and_statuses_loads_nothing_heavy() -> None:
    code = (
        "import sys, backbone.domain, backbone.domain.report, backbone.domain.identifiers, backbone.domain.clock\n"
        "heavy = {'pyarrow', 'numpy', 'pandas', 'polars', 'duckdb', 'yaml'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
