"""What is said of a frame besides its rows: outside equality, outside the bytes, outside the fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from backbone.domain.clock import to_us

if TYPE_CHECKING:
    from backbone.domain.frame import Frame

__all__ = ["PLAIN", "Marks"]

_NONE: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said of a frame.

    Attributes:
        stale: its rows may be older than what the store holds.
        partial: symbols whose newest bar was made of others that do not go on to its end, with where it begins.
    """

    stale: bool = False
    partial: Mapping[str, datetime] = field(default_factory=lambda: _NONE)

    def as_stale(self) -> Marks:
        """The same of older rows."""
        return replace(self, stale=True)

    def with_partial(self, partial: Mapping[str, datetime]) -> Marks:
        """The same with other unfinished bars."""
        return replace(self, partial=MappingProxyType(dict(partial)) if partial else _NONE)

    def partial_in(self, frame: Frame) -> Mapping[str, datetime]:
        """Those of the unfinished bars that are rows of the frame."""
        if not self.partial:
            return _NONE
        stamps, names = frame.column("ts").astype("int64"), frame.column(frame.dimension.partition_column)
        there = {
            symbol: begin
            for symbol, begin in self.partial.items()
            if ((names == symbol) & (stamps == to_us(begin))).any()
        }
        return MappingProxyType(there)

    @staticmethod
    def of(frames: Iterable[Frame]) -> Marks:
        """What is said of all rows of several frames together."""
        given = [frame.marks for frame in frames]
        partial = {symbol: begin for marks in given for symbol, begin in marks.partial.items()}
        return Marks(any(marks.stale for marks in given)).with_partial(partial)


PLAIN = Marks()
