"""Prices as a picture: in the terminal, and as a PNG for reports.

Drawn is the close of bars, the price of trades, the middle of quotes. Both drawings thin out long series so that highs
and lows stay visible.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from backbone.domain import Dimension, Frame
from backbone.domain.clock import from_us
from backbone.domain.errors import BackboneError
from backbone.domain.text import written_out
from backbone.files import replace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ChartUnavailable", "picture", "terminal_chart"]

_PRICED = {
    Dimension.DAILY_BARS: "close",
    Dimension.INTRADAY_BARS: "close",
    Dimension.TRADES: "price",
    Dimension.QUOTES: "mid",
}
_HOUR = timedelta(hours=1)
_BREAKS = {Dimension.DAILY_BARS: timedelta(days=7), Dimension.TRADES: _HOUR, Dimension.QUOTES: _HOUR}
_MOST_PANELS = 6
_POINTS = 4000
_SMALLEST = (30, 8)
# plotext draws on one figure per process.
_PLOTEXT = Lock()


class ChartUnavailable(BackboneError, RuntimeError):
    """The drawing library is not installed; the message says how to get it."""

    code = "chart"


@dataclass(frozen=True, slots=True)
class _Line:
    """Prices of one series, those that exist, in the order of time.

    Attributes:
        title: symbol, interval and what is drawn.
        us: moments in microseconds since 1970.
        prices: as many prices.
        longest_step: a longer time without rows is left blank, in microseconds.
    """

    title: str
    us: NDArray[np.int64]
    prices: NDArray[np.float64]
    longest_step: int

    def summary(self) -> str:
        """Title, first and last price and the change."""
        first, last = float(self.prices[0]), float(self.prices[-1])
        change = f" ({(last / first - 1) * 100:+.2f} %)" if first else ""
        return f"{self.title}  {_price(first, self.size)} → {_price(last, self.size)}{change}"

    @property
    def size(self) -> float:
        """The largest price, which tells how many decimals matter."""
        return float(abs(self.prices).max())

    def span(self) -> str:
        """First and last moment."""
        return f"{self.moment(0):%Y-%m-%d %H:%M} to {self.moment(-1):%Y-%m-%d %H:%M} UTC"

    def moment(self, place: int) -> datetime:
        """The moment of a price."""
        return from_us(int(self.us[place]))


def terminal_chart(frame: Frame, *, width: int, height: int, color: bool, ascii_only: bool = False) -> str:
    """Draw the first series of a frame with block characters, under a line that says what it is.

    Args:
        frame: bars, trades or quotes.
        width: columns of the terminal; fewer than 30 are taken as 30.
        height: lines; fewer than 8 are taken as 8.
        color: with ANSI colours; without, there are no escape codes.
        ascii_only: with stars instead of block characters.

    Returns:
        Lines, at most ``width`` wide; without a line break at the end.

    Raises:
        ValueError: the dimension has no price.
    """
    lines = list(_lines(frame))
    if not lines:
        return f"{frame.dimension}: no prices to draw"
    line = lines[0]
    width, height = max(width, _SMALLEST[0]), max(height, _SMALLEST[1])
    more = f"  (first of {len(lines)} series)" if len(lines) > 1 else ""
    title = _fitting(width, [f"{line.summary()}  {line.span()}{more}", f"{line.summary()}{more}", line.summary()])
    return f"{title}\n{_plot(line, width, height - 1, color=color, marker='*' if ascii_only else 'hd')}"


def picture(frame: Frame, path: str | Path) -> Path:
    """Draw the series of a frame, one under the other, as PNG; nights, weekends and gaps are left blank.

    Args:
        frame: bars, trades or quotes; at most six of its series are drawn.
        path: of the file; its folder must exist. A file that is there is replaced at once or not at all.

    Returns:
        The path.

    Raises:
        ChartUnavailable: matplotlib is not installed.
        ValueError: the dimension has no price, there are no prices, or at the path is something else than a file.
    """
    lines = list(_lines(frame))
    if not lines:
        raise ValueError(f"{frame.dimension}: no prices to draw; give a frame with prices")
    target = Path(path)
    if target.exists() and not target.is_file():
        raise ValueError(f"{target} is no regular file and is not replaced; give the path of a file")
    replace(target, _rendered(lines[:_MOST_PANELS]))
    return target


def _lines(frame: Frame) -> Iterator[_Line]:
    import numpy as np

    from backbone.quality.coverage import series

    if frame.dimension not in _PRICED:
        raise ValueError(f"{frame.dimension} has no price to draw; give one of {', '.join(_PRICED)}")
    if not frame:
        return
    column = _PRICED[frame.dimension]
    prices = (frame.column("bid") + frame.column("ask")) / 2 if column == "mid" else frame.column(column)
    us = frame.column("ts").astype(np.int64)
    for one in series(frame):
        there = np.flatnonzero(np.isfinite(prices[one.first : one.last])) + one.first
        if there.size:
            title, step = f"{written_out(one.name)} {column}", _longest_step(frame.dimension, us[there])
            yield _Line(title, us[there], prices[there], step)


def _longest_step(dimension: Dimension, us: NDArray[np.int64]) -> int:
    import numpy as np

    if dimension in _BREAKS:
        return _BREAKS[dimension] // timedelta(microseconds=1)
    return int(1.5 * float(np.median(np.diff(us)))) if us.size > 1 else 0


def _thinned(prices: NDArray[np.float64], buckets: int) -> NDArray[np.intp]:
    """Places of the lowest and highest price of each stretch, and of the first and last price."""
    import numpy as np

    if prices.size <= 2 * buckets:
        return np.arange(prices.size)
    edges = np.linspace(0, prices.size, buckets + 1).astype(int).tolist()
    stretches = list(pairwise(edges))
    lows = [a + int(np.argmin(prices[a:b])) for a, b in stretches]
    highs = [a + int(np.argmax(prices[a:b])) for a, b in stretches]
    return np.unique([0, *lows, *highs, prices.size - 1])


def _plot(line: _Line, width: int, height: int, *, color: bool, marker: str) -> str:
    """The chart alone. Bars stand side by side, so that nights and weekends take no room."""
    import numpy as np
    import plotext

    places = _thinned(line.prices, 2 * width)
    with _PLOTEXT:
        figure = plotext.figure
        figure.clear()
        plotext.terminal.limit(width=False, height=False)
        figure.theme("simple" if color else "colorless")
        figure.plot_size(width, height)
        signal = figure.signal(places.tolist(), line.prices[places].tolist(), marker=marker)
        signal.lines()
        figure.draw(signal)
        marks = np.unique(np.linspace(0, line.prices.size - 1, max(2, width // 24)).astype(int)).tolist()
        figure.ruler("x").ticks(marks, [_date(line, mark) for mark in marks])
        levels = np.unique(np.linspace(line.prices.min(), line.prices.max(), max(2, height // 4))).tolist()
        figure.ruler("y").ticks(levels, [_price(level, line.size) for level in levels])
        drawn = figure.build().string(colorless=not color)
        figure.clear()
    return "\n".join(row.rstrip() for row in str(drawn).rstrip("\n").split("\n"))


def _date(line: _Line, place: int) -> str:
    days = (line.us[-1] - line.us[0]) / 86_400_000_000
    return f"{line.moment(place):{'%Y-%m-%d' if days > 5 else '%m-%d %H:%M'}}"


def _price(price: float, size: float) -> str:
    """A price with as many decimals as prices of this size are quoted with."""
    decimals = 2 if size >= 20 else 3 if size >= 5 else 5
    return f"{price:,.{decimals}f}"


def _fitting(width: int, texts: list[str]) -> str:
    """The first text that fits; the last one, cut, where none does."""
    return next((text for text in texts if len(text) <= width), f"{texts[-1][: width - 1]}…")


def _rendered(lines: list[_Line]) -> bytes:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChartUnavailable("pictures need matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(11, 1.2 + 3.2 * len(lines)), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for line, axes in zip(lines, figure.subplots(len(lines), 1, squeeze=False)[:, 0], strict=True):
        _panel(axes, line)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _panel(axes: Any, line: _Line) -> None:
    import numpy as np
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    places = _thinned(line.prices, _POINTS)
    stretch = np.concatenate(([0], np.cumsum(np.diff(line.us) > line.longest_step)))[places]
    # A blank (NaN) before the first row of each stretch keeps the line from bridging the time without rows.
    late = np.flatnonzero(np.diff(stretch)) + 1
    us = np.insert(line.us[places], late, line.us[places][late] - 1)
    prices = np.insert(line.prices[places], late, np.nan)
    moments = us.astype("datetime64[us]")
    axes.plot(moments, prices, color="#1f4e79", linewidth=1.0, solid_joinstyle="round")
    axes.plot(moments[-1:], prices[-1:], "o", color="#c0392b", markersize=4)
    axes.set_title(line.summary().replace("$", r"\$"), loc="left", fontsize=11, fontweight="bold")
    axes.set_title(line.span(), loc="right", fontsize=8, color="#666666")
    locator = AutoDateLocator(tz="UTC")  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))  # type: ignore[no-untyped-call]
    axes.set_xlabel("UTC", fontsize=8, color="#666666")
    axes.yaxis.set_major_formatter(lambda price, _place: _price(price, line.size))
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
