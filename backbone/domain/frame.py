"""The frame: rows of one dimension as columns, in canonical form."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from backbone.domain import arguments
from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.making import Making
from backbone.domain.marks import PLAIN, Marks
from backbone.domain.rows import Cells

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


__all__ = ["Frame"]


class Frame(Making):
    """Rows of one dimension: an immutable, thin wrapper of a ``pyarrow.Table`` in canonical form.

    Canonical means: the exact schema of the dimension, rows strictly ascending by key (of rows with the same key the
    last given one is kept), one chunk per column, NaN as null. So two frames with the same content are equal and
    have the same bytes and the same fingerprint, however they were made.

    One made of a few records has no columns until they are asked for.

    Frames are made by ``from_arrow``, ``from_polars``, ``from_pandas``, ``from_records``, ``empty`` and ``concat``.
    """

    __slots__ = ("_cells", "_dimension", "_fingerprint", "_marks", "_rows", "_span_us", "_symbols", "_table")

    _dimension: Dimension
    _rows: int
    _marks: Marks
    _table: pa.Table | None
    _cells: Cells | None
    _symbols: tuple[str, ...] | None
    _span_us: tuple[int, int] | None
    _fingerprint: str | None

    def __init__(self) -> None:
        raise TypeError("a Frame is made by Frame.from_arrow, from_polars, from_pandas, from_records, empty or concat")

    @classmethod
    def _of(cls, dimension: Dimension, table: pa.Table, marks: Marks = PLAIN) -> Self:
        """Wrap a table that is canonical already."""
        self = cls._blank(dimension, table.num_rows)
        self._table = table
        self._marks = marks
        return self

    @classmethod
    def _blank(cls, dimension: Dimension, rows: int) -> Self:
        self = object.__new__(cls)
        self._dimension = dimension
        self._rows = rows
        self._marks = PLAIN
        self._table = self._cells = self._symbols = self._span_us = self._fingerprint = None
        return self

    @classmethod
    def of_canonical(cls, dimension: Dimension, table: pa.Table) -> Self:
        """Wrap a table that is canonical already, unseen; for the codec."""
        return cls._of(dimension, table)

    @classmethod
    def of_cells(cls, dimension: Dimension, cells: Cells) -> Self:
        """A frame of a few rows that are canonical already, unseen; for stores."""
        self = cls._blank(dimension, len(cells.rows))
        self._cells, self._symbols, self._span_us = cells, cells.symbols, cells.span_us
        return self

    def ordered(self) -> Frame:
        """The rows of a stacked frame in canonical form: sorted by key, of rows with the same key the last."""
        from backbone.domain.canonical import reorder

        return self._of(self._dimension, reorder(self._dimension, self.to_arrow()), self._marks)

    @property
    def dimension(self) -> Dimension:
        """What the rows are."""
        return self._dimension

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self._rows

    @property
    def cells(self) -> Cells | None:
        """The rows as plain values, where it was made of a few such."""
        return self._cells

    @property
    def nbytes(self) -> int:
        """How many bytes the rows take up, about."""
        return int(self.to_arrow().nbytes) if self._cells is None else self._cells.nbytes

    @property
    def symbols(self) -> tuple[str, ...]:
        """The distinct values of the partition column (symbol, or calendar of macro events), ascending."""
        if self._symbols is None:
            from backbone.domain.canonical import distinct, whole

            self._symbols = distinct(whole(self.to_arrow().column(0)))
        return self._symbols

    @property
    def span_us(self) -> tuple[int, int]:
        """The earliest and the latest ``ts`` in microseconds since 1970; (0, 0) without rows."""
        if self._span_us is None:
            stamps = self._stamps()
            self._span_us = (int(stamps.min()), int(stamps.max())) if self._rows else (0, 0)
        return self._span_us

    @property
    def start(self) -> datetime | None:
        """The earliest ``ts``, in UTC; None without rows."""
        return from_us(self.span_us[0]) if self._rows else None

    @property
    def end(self) -> datetime | None:
        """The latest ``ts``, in UTC; None without rows."""
        return from_us(self.span_us[1]) if self._rows else None

    @property
    def stale(self) -> bool:
        """Whether the rows may be older than what the store holds."""
        return self._marks.stale

    @property
    def partial(self) -> Mapping[str, datetime]:
        """Of bars made of others: the symbols whose newest bar is not known to its end, with where it begins."""
        return self._marks.partial_in(self)

    @property
    def marks(self) -> Marks:
        """What is said of the rows besides; it is no part of them."""
        return self._marks

    @property
    def fingerprint(self) -> str:
        """32 hex digits that depend on the content only: BLAKE2b of the canonical bytes."""
        if self._fingerprint is None:
            self._fingerprint = blake2b(self.canonical_bytes(), digest_size=16).hexdigest()
        return self._fingerprint

    def canonical_bytes(self) -> bytes:
        """Bytes for comparing and hashing: same content, same bytes, in every release."""
        from backbone.domain.identity import canonical_parts

        return b"".join(canonical_parts(self))

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table; not a copy."""
        if self._table is None:
            if self._cells is None:
                raise AssertionError("a frame has a table or cells")
            self._table = Cells.table(self._dimension, [self._cells])
        return self._table

    def to_polars(self) -> Any:
        """The rows as a polars DataFrame.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        from backbone.domain.conversion import arrow_to_polars

        return arrow_to_polars(self.to_arrow())

    def to_pandas(self) -> Any:
        """The rows as a pandas DataFrame with a plain index.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        from backbone.domain.conversion import arrow_to_pandas

        return arrow_to_pandas(self.to_arrow())

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column as numpy: ``datetime64[us]`` (UTC), ``float64`` with NaN for null, ``int64``, or text objects.

        It can't be written to; timestamps, integers and doubles without nulls are views.

        Raises:
            TypeError: the name is no text. ValueError: the dimension has no such column.
        """
        from backbone.domain.conversion import column_to_numpy

        if arguments.instance("name", name, str) not in self._dimension.kinds:
            raise ValueError(f"{self._dimension} has no column {name!r}; it has {', '.join(self._dimension.columns)}")
        return column_to_numpy(self.to_arrow().column(name), self._dimension.kinds[name])

    def _stamps(self) -> npt.NDArray[np.int64]:
        from backbone.domain.canonical import integers, whole

        return integers(whole(self.to_arrow().column("ts")))

    def newest(self, n: int) -> Frame:
        """The n newest rows by ``ts`` over the whole frame, still ascending by key; of equal moments the last rows.

        Raises:
            TypeError, ValueError: n is no whole number of 0 or more.
        """
        from backbone.domain.selection import newest_rows

        n = arguments.count("n", n)
        if n >= self._rows:
            return self
        return self._of(self._dimension, newest_rows(self.to_arrow(), self._stamps(), n), self._marks)

    def select(
        self,
        symbols: Iterable[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        interval: str | None = None,
    ) -> Frame:
        """The rows of the given symbols with ``start <= ts <= end``, and of one interval; None means all.

        Raises:
            TypeError: symbols are one text instead of several, or an argument is of a wrong type.
            ValueError: a moment has no zone, the start lies after the end, or an interval is asked of a dimension that
                has none.
        """
        from backbone.domain.selection import matching_rows

        table = matching_rows(self, self._stamps(), symbols, arguments.window(start, end), interval)
        return self if table.num_rows == self._rows else self._of(self._dimension, table, self._marks)

    def split_by_symbol(self) -> list[tuple[str, Frame]]:
        """One frame per symbol (calendar of macro events), ascending; the rows are not copied."""
        from backbone.domain.selection import runs

        if len(self.symbols) == 1:
            return [(self.symbols[0], self)]
        return [(symbol, self.slice(offset, length)) for symbol, offset, length in runs(self.to_arrow().column(0))]

    def slice(self, offset: int, length: int | None = None) -> Frame:
        """Rows from ``offset`` on, at most ``length`` of them; the rows are not copied.

        Raises:
            TypeError, ValueError: offset or length is no whole number of 0 or more.
        """
        from backbone.domain.arrays import empty_of

        offset = arguments.count("offset", offset)
        length = None if length is None else arguments.count("length", length, default="None for the rest")
        table = self.to_arrow().slice(offset, length)
        return self._of(self._dimension, table if table.num_rows else empty_of(table.schema), self._marks)

    def as_stale(self) -> Frame:
        """The same rows, marked as possibly older than what the store holds."""
        return self._marked(self._marks.as_stale())

    def with_partial(self, partial: Mapping[str, datetime]) -> Frame:
        """The same rows, of which the newest bars of some symbols are marked as unfinished."""
        return self._marked(self._marks.with_partial(partial)) if partial or self._marks.partial else self

    def _marked(self, marks: Marks) -> Frame:
        copy = object.__new__(type(self))
        for name in self.__slots__:
            setattr(copy, name, getattr(self, name))
        copy._marks = marks
        return copy

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows by the Arrow PyCapsule interface, for every library that reads it; not a copy."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self._rows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        if (self._dimension, self._rows) != (other._dimension, other._rows):
            return False
        return self is other or bool(self.to_arrow().equals(other.to_arrow()))

    def __hash__(self) -> int:
        return hash((self._dimension, self._rows, self.span_us))

    def _repr_html_(self) -> str:
        """The rows as a table, for notebooks: the first and the last ones of many."""
        from backbone.domain.drawing import html_table

        return html_table(self)

    def __repr__(self) -> str:
        from backbone.domain.drawing import summary

        return summary(self)
