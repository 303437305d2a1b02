"""How frames are made of what others have: tables, records, other frames; canonical from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from backbone.domain.dimension import Dimension
from backbone.domain.marks import PLAIN, Marks
from backbone.domain.rows import Cells, cells_of, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    import pyarrow as pa
    from msgspec import Struct

    from backbone.domain.frame import Frame


__all__ = ["Making"]


class Making:
    """The ways in which a `backbone.domain.frame.Frame` is made."""

    __slots__ = ()

    if TYPE_CHECKING:

        @classmethod
        def _of(cls, dimension: Dimension, table: pa.Table, marks: Marks = PLAIN) -> Self: ...

        @classmethod
        def of_cells(cls, dimension: Dimension, cells: Cells) -> Self:
            """See Frame."""
            ...

    @classmethod
    def from_arrow(cls, dimension: Dimension | str, table: Any, *, presorted: bool = False) -> Self:
        """A frame of an Arrow table, whose columns may come in any order; value columns may be missing.

        Args:
            dimension: what the rows are.
            table: a table, a record batch, or anything that exports an Arrow stream. Trades and quotes without
                ``sequence`` are numbered within (symbol, ts), as given.
            presorted: the caller vouches that rows are strictly ascending by key; saves a look at the keys.

        Raises:
            ValueError: a column is unknown, missing from the key, of a wrong type, or has values that are not allowed:
                moments without a zone or finer than a microsecond, NUL characters, texts of over 1,024 bytes; in the
                key nulls, empty texts, control or invisible characters.
        """
        from backbone.domain.canonical import canonical

        parsed = Dimension.parse(dimension)
        return cls._of(parsed, canonical(parsed, table, presorted=presorted))

    @classmethod
    def of_known(cls, dimension: Dimension, table: pa.Table) -> Self:
        """A frame of rows out of frames, strictly ascending by key as they were there."""
        from backbone.domain.canonical import canonical

        return cls._of(dimension, canonical(dimension, table, presorted=True, known=True))

    @classmethod
    def from_polars(cls, dimension: Dimension | str, df: Any) -> Self:
        """A frame of a polars DataFrame; see `from_arrow`.

        Raises:
            TypeError: something else was given. ValueError: as `from_arrow`.
        """
        from backbone.domain.conversion import polars_to_arrow

        return cls.from_arrow(dimension, polars_to_arrow(df))

    @classmethod
    def from_pandas(cls, dimension: Dimension | str, df: Any) -> Self:
        """A frame of a pandas DataFrame; index levels named as a column count as columns; see `from_arrow`.

        Raises:
            TypeError: something else was given. ValueError: as `from_arrow`.
        """
        from backbone.domain.conversion import pandas_to_arrow

        parsed = Dimension.parse(dimension)
        return cls.from_arrow(parsed, pandas_to_arrow(parsed, df))

    @classmethod
    def from_records(cls, dimension: Dimension | str, records: Iterable[Mapping[str, object] | Struct]) -> Self:
        """A frame of one mapping or msgspec Struct per row; for tests and trickles, not for bulk; see `from_arrow`.

        Raises:
            TypeError: records are no such rows, or one row instead of several. ValueError: as `from_arrow`.
        """
        parsed = Dimension.parse(dimension)
        given = listed(records)
        cells = cells_of(parsed, given)
        if cells is None:
            from backbone.domain.conversion import records_to_arrow

            return cls.from_arrow(parsed, records_to_arrow(parsed, given))
        return cls.of_cells(parsed, cells)

    @classmethod
    def empty(cls, dimension: Dimension | str) -> Self:
        """A frame without rows."""
        from backbone.domain.arrays import empty_of
        from backbone.domain.schema import arrow_schema

        parsed = Dimension.parse(dimension)
        return cls._of(parsed, empty_of(arrow_schema(parsed)))

    @classmethod
    def concat(cls, frames: Iterable[Frame]) -> Self:
        """All rows of several frames of one dimension; of rows with the same key the last one is kept.

        The result is stale when any of the frames is.

        Raises:
            TypeError: something else than frames is given.
            ValueError: no frame is given, or they are of different dimensions.
        """
        from backbone.domain.stacking import concatenated, of_one_dimension

        given = of_one_dimension(frames)
        dimension = given[0].dimension
        return cls._of(dimension, concatenated(dimension, given), Marks.of(given))

    @classmethod
    def stacked(cls, frames: Sequence[Frame]) -> Self:
        """The rows of frames of one dimension, one after the other as they are: for looking at, not for storing."""
        from backbone.domain.stacking import stacked

        return cls._of(frames[0].dimension, stacked(frames))
