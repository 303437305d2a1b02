"""What sources that read one file share: how they are named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Dimension
from backbone.domain.zones import load_zone

__all__ = ["FileSource"]


class FileSource:
    """One file, and what its columns do not say."""

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
    ) -> None:
        """Name the file; it is opened when chunks are asked for.

        Args:
            path: of the file.
            dimension: what the rows are.
            interval: of bars, when the file has no such column.
            symbol: of all rows, when the file has no such column (the calendar, of macro events).
            zone: IANA name of the zone of times without an offset.
            chunk_rows: rows per chunk.
            columns: the file's column names to ours, where they are unusual; numbers mean positions, counted from 1,
                in a file without a header.

        Raises:
            ValueError: an argument is not allowed.
        """
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows={chunk_rows} given; give 1 or more")
        self.path = Path(path)
        self.dimension = Dimension.parse(dimension)
        self._zone = None if zone is None else load_zone(zone)
        self._chunk_rows = chunk_rows
        self._columns = dict(columns or {})
        given = {self.dimension.partition_column: symbol, "interval": interval and parse_interval(interval)}
        self._constants = {column: value.strip() for column, value in given.items() if value}

    def describe(self) -> str:
        """File and dimension."""
        interval = self._constants.get("interval")
        return f"{self.name} {self.path.name} ({self.dimension}{f', {interval}' if interval else ''})"
