"""What sources that read one file share: how they are named, what the caller says of them, what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Dimension
from backbone.domain.zones import load_zone
from backbone.sources.form import Decimal, Form, Stamps, TimeUnit
from backbone.sources.port import Account
from backbone.sources.years import EARLIEST, LATEST

__all__ = ["FileSource"]

_LAST_YEAR: Final = 9999


class FileSource:
    """One file, and what its columns do not say.

    Attributes:
        path: of the file.
        dimension: what the rows are.
        form: what the caller says of it.
        account: what was made of it, as far as it has been read.
    """

    name: ClassVar[str]

    def __init__(
        self,
        path: str | Path,
        dimension: Dimension | str,
        *,
        interval: str | None = None,
        symbol: str | None = None,
        zone: str | None = None,
        chunk_rows: int = 100_000,
        columns: Mapping[str, str] | None = None,
        time_format: str | None = None,
        time_unit: TimeUnit | None = None,
        decimal: Decimal | None = None,
        encoding: str | None = None,
        stamps: Stamps | None = None,
        earliest: int = EARLIEST,
        latest: int = LATEST,
    ) -> None:
        """Name the file; it is opened when chunks are asked for.

        Args:
            path: of the file.
            dimension: what the rows are.
            interval: of bars, when the file has no such column.
            symbol: of all rows, when the file has no such column (the calendar, of macro events).
            zone: IANA name of the zone of times without an offset.
            chunk_rows: rows per chunk.
            columns: the file's columns to ours, by name or by position, counted from 1; ``"A+B"`` joins two.
            time_format: of times, in the letters of `datetime.datetime.strptime`.
            time_unit: of times that are numbers since 1970.
            decimal: the decimal sign of numbers.
            encoding: of the text, such as cp1252.
            stamps: whether the time of a bar is its start or its end.
            earliest: the first year of times; rows before it are bad.
            latest: the last year of times; rows after it are bad.

        Raises:
            TypeError, ValueError: an argument is not allowed.
        """
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows={chunk_rows} given; give 1 or more")
        if not 1 <= earliest <= latest <= _LAST_YEAR:
            raise ValueError(f"earliest={earliest}, latest={latest} given; give years from 1 to {_LAST_YEAR}, in order")
        self._years = (earliest, latest)
        self.path = Path(path)
        self.dimension = Dimension.parse(dimension)
        if stamps is not None and "close" not in self.dimension.columns:
            raise ValueError(f"stamps={stamps!r} given; {self.dimension} has no bars, leave it out")
        self._zone = None if zone is None else load_zone(zone)
        self._chunk_rows = chunk_rows
        self.form = Form(
            columns=dict(columns or {}),
            time_format=time_format,
            time_unit=time_unit,
            decimal=decimal,
            encoding=encoding,
            stamps=stamps,
            zone=zone,
        )
        self.account = Account()
        given = {self.dimension.partition_column: symbol, "interval": interval and parse_interval(interval)}
        self._constants = {column: value.strip() for column, value in given.items() if value}

    def describe(self) -> str:
        """File and dimension."""
        interval = self._constants.get("interval")
        return f"{self.name} {self.path.name} ({self.dimension}{f', {interval}' if interval else ''})"
