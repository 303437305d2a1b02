"""Frames as files of a dialect: what its columns can hold, and how it writes that."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.sources.corrections import CORRECTION
from backbone.sources.form import Form
from backbone.sources.text.dialects import Dialect
from backbone.sources.text.layout import Layout, find_layout
from backbone.sources.text.vendors import BUILT_IN
from tests.backbone.sources.dialect_files import File

__all__ = ["Written", "frames"]

_FORMATS = (
    "%Y-%m-%d", "%d-%b-%Y", "%m/%d/%Y", "%b %-d, %Y", "%Y.%m.%d", "%Y%m%d 000000", "%Y-%m-%d 00:00:00-05:00",
    "%d.%m.%Y %H:%M:%S.{ms}", "%d.%m.%Y %H:%M:%S.{ms} GMT+0100", "%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M:%S.{ms}",
    "%Y.%m.%d %H:%M", "%Y%m%d %H%M%S", "%Y%m%d %H%M%S{ms}", "%Y/%-m/%-d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S-05:00",
    "%Y-%m-%d %H:%M:%S-05:00", "%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f+00:00",
    "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S.%f000Z",
)  # fmt: skip
_EPOCHS = {10: 1_000_000, 13: 1000, 16: 1}
_DAY, _SECOND, _MINUTE, _MS = (timedelta(**{unit: 1}) for unit in ("days", "seconds", "minutes", "milliseconds"))
_MICROSECOND = timedelta(microseconds=1)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_WINTER = datetime(2024, 1, 8, tzinfo=UTC)
"""No zone sets its clocks in the eight weeks from then on: an hour that comes twice is another matter."""
_SPAN = timedelta(days=56)
_BARE_PLACES = {"whole", "epoch ms or us"}

_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5)

Write = Callable[[datetime], str]


@dataclass(frozen=True)
class Written:
    """How files like a given one are written.

    Attributes:
        file: the one.
        layout: of it.
        head: its lines before the first row.
        row: the fields of its first row.
        stamp: writes a time.
        step: the finest difference between two times.
    """

    file: File
    layout: Layout
    head: str
    row: tuple[str, ...]
    stamp: Write
    step: timedelta

    @classmethod
    def like(cls, file: File) -> Written:
        """The way of a file."""
        constants = {"symbol": "X", **({"interval": "1h"} if file.dimension.has_interval else {})}
        layout = find_layout("file", file.text, file.dimension, form=Form(**file.options), constants=constants)  # type: ignore[arg-type]
        lines = file.text.split("\n")
        head, line = "".join(f"{each}\n" for each in lines[: layout.first_row - 1]), lines[layout.first_row - 1]
        row = tuple(next(csv.reader([line], delimiter=layout.delimiter)))
        stamp, step = _stamp(" ".join(row[place].strip() for place in layout.parts["ts"]), file, layout)
        return cls(file, layout, head, row, stamp, step)

    @property
    def dialect(self) -> Dialect:
        """What it is in."""
        return next(each for each in BUILT_IN if each.name == self.file.dialect)

    def text(self, frame: Frame) -> str:
        """A frame in it."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.layout.delimiter, lineterminator="\n")
        for row in frame.to_arrow().to_pylist():
            fields = list(self.row)
            for column, places in self.layout.parts.items():
                cell = "0" if column == CORRECTION else self._cell(column, row[column])
                for place, text in zip(places, cell.split(" ") if len(places) > 1 else [cell], strict=True):
                    fields[place] = text
            writer.writerow(fields)
        return self.head + out.getvalue()

    def _cell(self, column: str, value: object) -> str:
        if isinstance(value, datetime):
            return self.stamp(value)
        if isinstance(value, float) and self._whole(column):
            return str(int(value))
        return "" if value is None else str(value)

    def _whole(self, column: str) -> bool:
        """Whether a dialect without a header has whole numbers there, by which it is known."""
        shapes, places = self.dialect.shapes, self.layout.parts[column]
        return bool(shapes) and shapes[places[0]] in _BARE_PLACES


def frames(way: Written) -> st.SearchStrategy[Frame]:
    """Frames that such a file can hold."""
    dimension = way.file.dimension
    columns = [name for name in dimension.columns if name in way.layout.parts and name != "ts"]
    cells: dict[str, st.SearchStrategy[object]] = {
        "ts": st.integers(0, _SPAN // way.step - 1).map(lambda n: _WINTER + n * way.step)
    }
    cells |= {name: _values(name, way) for name in columns}
    constants = {name: value for name, value in way.layout.constants.items() if name in dimension.columns}
    rows = st.lists(st.fixed_dictionaries(cells).map(lambda row: {**row, **constants}), min_size=1, max_size=8)
    return rows.map(lambda given: Frame.from_records(dimension, given))


def _values(column: str, way: Written) -> st.SearchStrategy[object]:
    kind = way.file.dimension.kinds[column]
    if kind == "string":
        key = column in way.file.dimension.key
        return st.sampled_from(["A", "BRK.B", "ES=F", "NA"]) if key else st.none() | _TEXTS
    if kind == "int64":
        return st.integers(0, 2**63 - 1)
    if way._whole(column):
        return st.integers(0, 10**9).map(float)
    numbers: st.SearchStrategy[object] = st.floats(1e-9, 1e12) | st.integers(1, 10**9).map(lambda n: n / 10**4)
    needed = column in {"open", "high", "low", "close", "price", "bid", "ask"} or way.dialect.shapes
    return numbers if needed else st.none() | numbers


def _stamp(text: str, file: File, layout: Layout) -> tuple[Write, timedelta]:
    """How a time is written that is written so."""
    if text.replace(".", "").isdigit() and "." not in text[:9]:
        return _epoch(text)
    daily = file.dimension is Dimension.DAILY_BARS
    for pattern in _FORMATS:
        zone = UTC if daily else _zone(pattern, layout)
        write = _writer(pattern, zone)
        try:
            moment = datetime.strptime(text, pattern.replace("{ms}", "%f").replace("%-", "%")).replace(tzinfo=zone)
        except ValueError:
            continue
        if write(moment).casefold() == text.casefold():
            fine = _MICROSECOND if "%f" in pattern else _MS if "{ms}" in pattern else _SECOND
            return write, _DAY if daily or "%H" not in pattern else fine if "%S" in pattern else _MINUTE
    raise AssertionError(f"{file.dialect}: no way of writing times as {text!r}; add it here")


def _epoch(text: str) -> tuple[Write, timedelta]:
    whole, _, fraction = text.partition(".")
    if fraction:
        return (lambda moment: f"{(moment - _1970) // _MICROSECOND / 1e6:.6f}"), _MICROSECOND
    if len(whole) == 19:
        return (lambda moment: f"{(moment - _1970) // _MICROSECOND}000"), _MICROSECOND
    unit = _EPOCHS[len(whole)]
    return (lambda moment: str((moment - _1970) // _MICROSECOND // unit)), unit * _MICROSECOND


def _zone(pattern: str, layout: Layout) -> tzinfo:
    if pattern.endswith("-05:00"):
        return timezone(timedelta(hours=-5))
    return timezone(timedelta(hours=1)) if pattern.endswith("+0100") else layout.times.zone or UTC


def _writer(pattern: str, zone: tzinfo) -> Write:
    def write(moment: datetime) -> str:
        wall = moment.astimezone(zone)
        return wall.strftime(pattern.replace("{ms}", f"{wall.microsecond // 1000:03}"))

    return write
