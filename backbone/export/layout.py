"""Where the rows of a part lie: folders as Hive names them, so that other tools find their way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import PurePosixPath
from urllib.parse import quote

import msgspec
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.report import package_version
from backbone.domain.schema import arrow_schema
from backbone.settings.sections.export import ExportSettings
from backbone.store.snapshots import Part, PartFacts, Parts, Period, Snapshot

__all__ = ["CURRENT", "JOURNAL", "MANIFEST", "METADATA", "Layout", "escaped", "layout_of", "name_of"]

CURRENT = "CURRENT"
JOURNAL = "journal.jsonl"
MANIFEST = "manifest.json"
METADATA = "_metadata.json"

_NULL = "__HIVE_DEFAULT_PARTITION__"
_LONGEST = 255  # bytes of one name on all file systems that matter
_PERIODS = {"day": ("date", "%Y-%m-%d"), "month": ("month", "%Y-%m"), "year": ("year", "%Y")}
_SHORT = {Dimension.DAILY_BARS: "daily", Dimension.INTRADAY_BARS: "intraday", Dimension.MACRO_EVENTS: "macro"}


class Layout(msgspec.Struct, frozen=True):
    """Which parts there are, and the name of the file of each.

    Attributes:
        form: parquet, csv or jsonl.
        order: which folders there are, from the outside in: "date", "symbol".
        periods: how much time a folder spans, by dimension.
        prefix: part of the names of csv and jsonl.
    """

    form: str
    order: tuple[str, ...]
    periods: Mapping[Dimension, Period]
    prefix: str

    def parts(
        self, dimension: Dimension, symbols: tuple[str, ...], start: datetime | None, end: datetime | None
    ) -> Parts:
        """The parts of what was asked for."""
        period = self.periods[dimension] if "date" in self.order else "all"
        return Parts(dimension, symbols, start, end, period, "symbol" in self.order)

    def place(self, part: Part) -> str:
        """The file of a part, from the folder of the export.

        Raises:
            OSError: the symbol's name is longer than a file system takes.
        """
        names = [_segment(part, self.periods[part.dimension], each) for each in self.order]
        path = PurePosixPath(part.dimension.value, *filter(None, names), self._file(part.dimension))
        longest = max((name for name in path.parts), key=len)
        if len(longest) > _LONGEST:
            raise OSError(f"{longest[:40]}… given as the name of a folder; at most {_LONGEST} bytes are allowed")
        return str(path)

    def _file(self, dimension: Dimension) -> str:
        if self.form == "parquet":
            return "part-0.parquet"
        return f"00000_{self.prefix}_{_SHORT.get(dimension, dimension.value)}.{self.form}"

    def fingerprint(self) -> str:
        """Another text wherever files would lie elsewhere, or hold other rows or columns."""
        periods = ",".join(f"{dimension}:{period}" for dimension, period in self.periods.items())
        columns = "\n".join(f"{dimension} {arrow_schema(dimension)}" for dimension in Dimension)
        return f"{self.form} {','.join(self.order)} {periods} {self.prefix} {_digest(columns.encode())}"


def layout_of(export: ExportSettings, form: str) -> Layout:
    """The layout that the settings choose."""
    periods: dict[Dimension, Period] = {dimension: export.periods.of(dimension) for dimension in Dimension}
    return Layout(form, tuple(export.partition_by.split(",")), periods, export.prefix)


def _segment(part: Part, period: str, by: str) -> str:
    if by == "symbol":
        return f"{part.dimension.partition_column}={escaped(part.symbol or '')}"
    if period == "all" or part.start is None:
        return ""
    name, form = _PERIODS[period]
    year, rest = f"{part.start.year:04d}", form.removeprefix("%Y")
    return f"{name}={year}{part.start.strftime(rest) if rest else ''}"


def escaped(text: str) -> str:
    """A text as part of a name: percent-encoded but for letters and digits of ASCII, `-`, `_`, `~`, and dots within.

    Two texts never have one name, and the name that Hive has for null stands for nothing else.
    """
    name = quote(text, safe="")
    if name == _NULL:
        return f"%5F{name[1:]}"
    return f"{name[:-1]}%2E" if name.endswith(".") else name


def name_of(snapshot: Snapshot, asked: object, layout: Layout, found: Iterable[PartFacts]) -> str:
    """The name of an export: the same rows of the same moment in the same layout are the same export.

    Other rows never have its name, nor other bytes: what CURRENT names is not written into. A database that was
    restored comes to the same moment again with other rows, and another version of what writes makes other files.

    Args:
        snapshot: the moment.
        asked: which rows.
        layout: how they are cut.
        found: the parts that have rows.
    """
    moment = [snapshot.generation, snapshot.position, snapshot.drops]
    writes = [package_version(), pa.__version__]
    told = [moment, asked, layout.fingerprint(), writes, [(each.part, each.version) for each in found]]
    return f"export-{_digest(msgspec.json.encode(told))}"


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
