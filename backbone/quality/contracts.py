"""What of a source's columns is other than before, and what is made of its rows then.

A source has a shape: its columns, what each is read as, and of what kind its values are where the source says so. A
contract says what a run does that meets another shape than the run before: *evolve* takes it, *freeze* refuses it,
*discard* leaves out what differs, *quarantine* keeps the rows aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import pyarrow as pa

from backbone.domain.frame import Frame
from backbone.quality.screening import Rejected, rejected_row

__all__ = [
    "LONGEST_SHAPE",
    "Difference",
    "Shape",
    "differences",
    "held_by_contract",
    "kept_aside",
    "other_columns",
    "without",
]

LONGEST_SHAPE = 32 * 1024
"""Bytes of a shape that are remembered; a source with more columns has no contract."""

_PHRASE = "the source's columns are others than before"


class Shape(msgspec.Struct, frozen=True):
    """The columns of a source.

    Attributes:
        columns: by their name in the source, what each is read as; "" where it is not read.
        kinds: likewise, the kind of its values, where the source says it.
    """

    columns: Mapping[str, str]
    kinds: Mapping[str, str] = {}

    def to_json(self) -> str:
        """As it is remembered; "" where it is too long for that."""
        text = msgspec.json.encode(self, order="sorted")
        return text.decode() if len(text) <= LONGEST_SHAPE else ""

    @classmethod
    def of_json(cls, text: str) -> Shape | None:
        """What was remembered; None: that was no shape."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError:
            return None


class Difference(msgspec.Struct, frozen=True):
    """One column that is other than before.

    Attributes:
        text: what is other about it.
        reads: our columns whose values come of it now.
    """

    text: str
    reads: tuple[str, ...] = ()


def differences(before: Shape, now: Shape) -> tuple[Difference, ...]:
    """What is other, column by column in the order of the source; those that are gone come last."""
    return tuple(_differences(before, now))


def _differences(before: Shape, now: Shape) -> Iterator[Difference]:
    for name, reads in now.columns.items():
        ours = tuple(filter(None, (reads,)))
        if name not in before.columns:
            yield Difference(f"{name!r} is new{f', read as {reads}' if reads else ''}", ours)
        elif before.columns[name] != reads:
            was = before.columns[name] or "nothing"
            yield Difference(f"{name!r} was read as {was} and is as {reads or 'nothing'} now", ours)
        elif name in before.kinds and now.kinds.get(name, before.kinds[name]) != before.kinds[name]:
            yield Difference(f"{name!r} was {before.kinds[name]} and is {now.kinds[name]} now", ours)
    for name, reads in before.columns.items():
        if name not in now.columns:
            yield Difference(f"{name!r} is missing{f', which was read as {reads}' if reads else ''}")


def other_columns(found: tuple[Difference, ...], *, most: int = 5) -> str:
    """The differences in a sentence; bad rows are told by how it begins."""
    texts = [each.text for each in found[:most]] + ([f"and {len(found) - most} more"] if len(found) > most else [])
    return f"{_PHRASE}: {', '.join(texts)}"


def held_by_contract(reason: str) -> bool:
    """Whether a bad row was kept aside for the columns of its source."""
    return reason.startswith(_PHRASE)


def without(frame: Frame, found: tuple[Difference, ...]) -> Frame:
    """The rows without the values that come of columns which differ; what belongs to the key stays."""
    dimension, table = frame.dimension, frame.to_arrow()
    for name in {name for each in found for name in each.reads} & set(dimension.values):
        place = table.column_names.index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.nulls(table.num_rows, field.type))
    return Frame.of_known(dimension, table)


def kept_aside(frame: Frame, found: tuple[Difference, ...]) -> tuple[Rejected, ...]:
    """All rows, with the differences as what is wrong with them."""
    reason = other_columns(found)
    return tuple(rejected_row(frame, row, reason) for row in range(frame.num_rows))
