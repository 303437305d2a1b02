"""Charts in the terminal and as PNG."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame
from backbone.operations.rehearsal.chart import ChartUnavailable, picture, terminal_chart

T0 = datetime(2018, 6, 4, 10, tzinfo=UTC)


def bars(n: int, symbol: str = "EURUSD", step: timedelta = timedelta(hours=1)) -> Frame:
    price = 1.2 + 0.01 * np.sin(np.arange(n) / 20)
    table = pa.table(
        {
            "symbol": pa.repeat(symbol, n), "interval": pa.repeat("1h", n),
            "ts": pa.array([T0 + k * step for k in range(n)], pa.timestamp("us", "UTC")),
            "open": price, "high": price, "low": price, "close": price,
        }
    )  # fmt: skip
    return Frame.from_arrow("intraday", table)


@pytest.mark.parametrize(("width", "height"), [(120, 30), (80, 20), (40, 10)])
def test_the_chart_fits_and_names_series_prices_and_span(width: int, height: int) -> None:
    chart = terminal_chart(bars(300), width=width, height=height, color=False)
    lines = chart.split("\n")
    assert len(lines) == height
    assert max(len(line) for line in lines) <= width
    assert lines[0].startswith("EURUSD 1h close  1.20000 → 1.20687")
    assert "2018-06-16" in lines[-1]
    assert any(block in chart for block in "▀▄▌▐█▖▗▘▝")


def test_without_colour_there_are_no_escape_codes_and_with_it_there_are() -> None:
    assert "\x1b" not in terminal_chart(bars(50), width=80, height=20, color=False)
    assert "\x1b[" in terminal_chart(bars(50), width=80, height=20, color=True)


def test_the_same_frame_gives_the_same_chart_after_another_was_drawn() -> None:
    first = terminal_chart(bars(50), width=80, height=20, color=False)
    terminal_chart(bars(5000), width=100, height=30, color=True)
    assert terminal_chart(bars(50), width=80, height=20, color=False) == first


def test_a_short_spike_in_a_long_series_stays_visible() -> None:
    table = bars(20_000).to_arrow()
    close = table.column("close").to_numpy().copy()
    close[12_345] = 2.5
    frame = Frame.from_arrow("intraday", table.set_column(table.column_names.index("close"), "close", pa.array(close)))
    assert "2.5000" in terminal_chart(frame, width=80, height=20, color=False)


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_rows_can_be_drawn(n: int) -> None:
    assert "EURUSD 1h close" in terminal_chart(bars(n), width=80, height=20, color=False)


def test_a_flat_series_can_be_drawn() -> None:
    trades = [{"symbol": "A", "ts": T0 + timedelta(seconds=n), "price": 5.0} for n in range(10)]
    assert "A price  5.000 → 5.000 (+0.00 %)" in terminal_chart(
        Frame.from_records("trades", trades), width=80, height=20, color=False
    )


def test_nothing_to_draw_is_said() -> None:
    assert terminal_chart(Frame.empty("quotes"), width=80, height=20, color=False) == "quotes: no prices to draw"


def test_the_first_of_several_series_is_drawn_and_said_to_be() -> None:
    frame = Frame.concat([bars(20), bars(20, "GBPUSD")])
    title = terminal_chart(frame, width=120, height=20, color=False).split("\n")[0]
    assert title.startswith("EURUSD")
    assert title.endswith("(first of 2 series)")


def test_what_has_no_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="macro_events has no price to draw; give one of daily_bars"):
        terminal_chart(Frame.empty("macro"), width=80, height=20, color=False)
    with pytest.raises(ValueError, match="no prices to draw"):
        picture(Frame.empty("quotes"), tmp_path / "none.png")


def test_a_picture_is_a_png_and_the_same_each_time(tmp_path: Path) -> None:
    frame = Frame.concat([bars(100), bars(100, "GBPUSD")])
    path = picture(frame, tmp_path / "chart.png")
    image = path.read_bytes()
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    picture(frame, path)
    assert path.read_bytes() == image
    assert [entry.name for entry in tmp_path.iterdir()] == ["chart.png"]


@pytest.mark.parametrize("n", [60, 12_000])
def test_times_without_rows_are_left_blank_in_the_picture(
    tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    drawn: list[np.ndarray] = []
    plot: Any = Axes.plot

    def spy(self: Axes, *args: Any, **options: Any) -> Any:
        drawn.append(np.asarray(args[1], dtype=np.float64))
        return plot(self, *args, **options)

    monkeypatch.setattr(Axes, "plot", spy)
    frame = bars(n)
    weekend = frame.select(end=T0 + timedelta(hours=n // 3)), frame.select(start=T0 + timedelta(hours=n // 2))
    picture(Frame.concat(weekend), tmp_path / "gap.png")
    assert np.isnan(drawn[0]).sum() == 1
    picture(frame, tmp_path / "whole.png")
    assert np.isnan(drawn[2]).sum() == 0


def test_without_matplotlib_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ChartUnavailable, match="pip install matplotlib"):
        picture(bars(10), tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


def test_a_name_neither_steers_the_terminal_nor_is_read_as_a_formula(tmp_path: Path) -> None:
    table = bars(10).to_arrow()
    named = table.set_column(0, table.schema.field(0), pa.repeat("$x^$\x1b[31m\u202e", 10))
    frame = Frame.of_canonical(Dimension.INTRADAY_BARS, named)
    title = terminal_chart(frame, width=80, height=10, color=False).partition("\n")[0]
    assert title.startswith("$x^$\\x1b[31m\\u202e")
    picture(frame, tmp_path / "x.png")


def test_what_is_no_file_is_not_replaced_by_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no regular file"):
        picture(bars(10), tmp_path)
    assert tmp_path.is_dir()
