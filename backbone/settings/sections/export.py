"""Exports: where they go, how they are cut, and how many are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Count, Days, Seconds, Section, Text
from backbone.settings.sections.by_dimension import ByDimension
from backbone.settings.sections.spark import SparkSettings

__all__ = ["ExportPeriods", "ExportSettings", "StressSettings"]

Period = Literal["day", "month", "year", "all"]


class ExportPeriods(ByDimension[Period], frozen=True, kw_only=True):
    """How much time, in UTC, the rows of one file span."""

    daily_bars: Annotated[Period, Meta(description="of daily bars")] = "year"
    intraday_bars: Annotated[Period, Meta(description="of intraday bars")] = "month"
    trades: Annotated[Period, Meta(description="of trades")] = "day"
    quotes: Annotated[Period, Meta(description="of quotes")] = "day"
    order_book: Annotated[Period, Meta(description="of changes of the order book")] = "day"
    macro_events: Annotated[Period, Meta(description="of macro events")] = "year"


class StressSettings(Section, frozen=True, kw_only=True):
    """A stress run: exports one after the other, each of everything anew."""

    cycles: Annotated[int, Meta(ge=1, le=1000, description="exports of one stress run")] = 3
    warn_after: Annotated[Seconds | None, Meta(description="an export that takes longer is a warning; none: never")] = (
        None
    )
    fail_after: Annotated[Seconds | None, Meta(description="one that takes longer has failed; none: never")] = None
    label: Annotated[Text, Meta(description="what the report is called")] = "export_stress"


class ExportSettings(Section, frozen=True, kw_only=True):
    """Files for other programs."""

    path: Annotated[Text, Meta(description="the folder in which exports lie, and CURRENT, which names the newest")] = (
        "data/exports"
    )
    format: Annotated[Literal["parquet", "csv", "jsonl"], Meta(description="how files are written")] = "parquet"
    partition_by: Annotated[
        Literal["date,symbol", "symbol,date", "date", "symbol"],
        Meta(description="which folders there are, from the outside in"),
    ] = "date,symbol"
    periods: ExportPeriods = ExportPeriods()
    prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z", description="csv, jsonl: part of the files' names")
    ] = "backbone"
    include_metadata: Annotated[bool, Meta(description="csv, jsonl: _metadata.json says what the columns are")] = True
    readers: Annotated[int, Meta(ge=1, le=16, description="files written at once; timescale: connections for it")] = 2
    snapshot_seconds: Annotated[Seconds, Meta(description="an export reads one moment of the store for so long")] = (
        3600.0
    )
    restarts: Annotated[
        int, Meta(ge=0, le=100, description="an export whose store was restarted begins again so often")
    ] = 3
    keep: Annotated[Count, Meta(description="the newest so many exports are kept")] = 3
    keep_days: Annotated[Days | None, Meta(description="and those that are no older; none: whatever their age")] = None
    mapped: Annotated[
        bool,
        Meta(description="beside Parquet: each part once more, uncompressed, for reads here that decode nothing"),
    ] = False
    reads: Annotated[
        bool,
        Meta(description="fetch takes from the newest export what the store's ledger knows to be unchanged since"),
    ] = False
    read_seconds: Annotated[
        Seconds, Meta(description="fetch waits so long for a disk that does not answer, then asks the store")
    ] = 5.0
    write_seconds: Annotated[
        Seconds, Meta(description="a step on the disk takes at most so long, else it hangs, and the export is given up")
    ] = 120.0
    stress: StressSettings = StressSettings()
    spark: SparkSettings = SparkSettings()
