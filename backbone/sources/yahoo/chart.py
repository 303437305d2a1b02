"""What the chart endpoint answers, as far as it is read. Sources: recorded answers that are public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from backbone.sources.http.decoding import Number

__all__ = ["Chart", "Dividend", "Envelope", "Events", "Failure", "Meta", "Period", "Quote", "Split"]


Seconds = Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)]
Offset = Annotated[int, msgspec.Meta(ge=-86_400, le=86_400)]


class Failure(msgspec.Struct):
    """Why there is no result."""

    code: str = ""
    description: str | None = None


class Period(msgspec.Struct):
    """When trading begins and ends, epoch seconds."""

    start: Seconds = 0
    end: Seconds = 0


class Periods(msgspec.Struct):
    """Of the newest day; only regular trading is looked at."""

    regular: Period | None = None


class Meta(msgspec.Struct, rename="camel"):
    """What is said of the symbol."""

    symbol: str | None = None
    currency: str | None = None
    exchange_timezone_name: str | None = None
    gmtoffset: Offset = 0
    regular_market_time: Seconds | None = None
    current_trading_period: Periods | None = None


class Quote(msgspec.Struct):
    """Columns of bars; a value is null where there was no trade."""

    open: list[Number] = []
    high: list[Number] = []
    low: list[Number] = []
    close: list[Number] = []
    volume: list[Number] = []


class Adjusted(msgspec.Struct):
    """Closes, adjusted for dividends and splits."""

    adjclose: list[Number] = []


class Indicators(msgspec.Struct):
    """Each is a list of one; without rows it is empty, or its one member is."""

    quote: list[Quote] = []
    adjclose: list[Adjusted] = []


class Dividend(msgspec.Struct):
    """Of one share, at the moment from which on it is not paid to who buys."""

    amount: Number = None
    date: int | None = None
    currency: str | None = None


class Split(msgspec.Struct, rename="camel"):
    """New shares for old ones."""

    date: int | None = None
    numerator: Number = None
    denominator: Number = None
    split_ratio: str = ""


class Events(msgspec.Struct):
    """Actions, by the text of their moment."""

    dividends: Mapping[str, Dividend] = {}
    splits: Mapping[str, Split] = {}


class Chart(msgspec.Struct):
    """One symbol. Without rows there are no timestamps."""

    meta: Meta = msgspec.field(default_factory=Meta)
    timestamp: list[Number] = []
    indicators: Indicators = msgspec.field(default_factory=Indicators)
    events: Events | None = None


class _Answer(msgspec.Struct):
    result: list[Chart] | None = None
    error: Failure | None = None


class _Finance(msgspec.Struct):
    error: Failure | None = None


class Envelope(msgspec.Struct):
    """A whole answer; refusals come in `finance`."""

    chart: _Answer | None = None
    finance: _Finance | None = None

    @property
    def failure(self) -> str:
        """Why there is no result, in its own words; "" where there is one."""
        part = self.chart or self.finance
        error = None if part is None else part.error
        return "" if error is None else f"{error.code}: {error.description or 'no reason'}".strip()
