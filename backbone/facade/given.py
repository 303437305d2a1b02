"""What a caller of `record` gives, as a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from backbone.domain import Frame, arguments
from backbone.domain.dimension import Dimension

__all__ = ["Rows", "frame_of"]

Rows: TypeAlias = Frame | Mapping[str, object] | Struct | Iterable[Frame] | Iterable[Mapping[str, object] | Struct]

_ALLOWED = "allowed are a Frame, a mapping from column to value, a msgspec Struct, or a list of these"


def frame_of(rows: object, dimension: Dimension | str | None) -> Frame:
    """The rows as one frame.

    Raises:
        TypeError: they are something else, or mappings or Structs without their dimension.
        ValueError: frames are of another dimension, or a row is not one of it.
    """
    if isinstance(rows, Frame):
        return _of_dimension(rows, dimension)
    if isinstance(rows, Mapping | Struct):
        return Frame.from_records(_named(dimension), [rows])
    # a table is iterable, too, but over its columns
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable) or hasattr(rows, "columns"):
        made = "; Frame.from_pandas, from_polars or from_arrow makes a frame of a table" * hasattr(rows, "columns")
        raise TypeError(f"rows={arguments.shown(rows)} given; {_ALLOWED}{made}")
    several = list(rows)
    frames = [each for each in several if isinstance(each, Frame)]
    if not frames:
        return Frame.from_records(_named(dimension), several)
    if len(frames) < len(several):
        raise TypeError("frames and rows given in one list; give frames, or mappings and Structs with their dimension")
    return _of_dimension(Frame.concat(frames), dimension)


def _of_dimension(frame: Frame, dimension: Dimension | str | None) -> Frame:
    if dimension is not None and (named := Dimension.parse(dimension)) is not frame.dimension:
        raise ValueError(f"dimension={named.value!r} given with a frame of {frame.dimension}; leave it out")
    return frame


def _named(dimension: Dimension | str | None) -> Dimension:
    if dimension is None:
        raise TypeError(f"no dimension given; rows that are no Frame need it: record(rows, {Dimension.QUOTES.value!r})")
    return Dimension.parse(dimension)
