"""A look at one file, on whichever executor: its hash, rows, keys, order, and the sums of its columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from backbone.domain.canonical import in_order
from backbone.domain.dimension import Kind
from backbone.domain.memory import give_back
from backbone.domain.stored import one_chunk
from backbone.export.files import hash_of
from backbone.export.forms import pages_of
from backbone.export.manifest import Entry
from backbone.export.sums import Sums, hash_of_values, hashes_of
from backbone.store.snapshots import PART_ROWS

__all__ = ["Looked", "Order", "judged", "looked_at"]


class Order:
    """Whether rows come in ascending order of their key, from page to page, and none of its columns is null.

    Args:
        key: columns of the rows.
    """

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._last: pa.Table | None = None
        self.nulls = dict.fromkeys(self._key, 0)
        self.ascends = True

    def add(self, table: pa.Table) -> None:
        """The next page."""
        keys = table.select(self._key)
        for name in self._key:
            self.nulls[name] += keys.column(name).null_count
        joined = keys if self._last is None else pa.concat_tables([self._last, keys])
        self.ascends = self.ascends and in_order([one_chunk(joined.column(name)) for name in self._key])
        self._last = keys.slice(keys.num_rows - 1)

    def problems(self) -> Iterator[str]:
        """What is wrong with them."""
        for name, count in self.nulls.items():
            if count:
                yield f"{count} rows without {name}, which is part of their key"
        if not self.ascends:
            yield "its rows are not in ascending order of their key"


def judged(folder: str, form: str, line: bytes) -> tuple[int, list[str]]:
    """How many rows a file of an export has, and what is wrong with it.

    Args:
        folder: of the export.
        form: of its files.
        line: what its manifest says of the file.
    """
    entry = msgspec.json.decode(line, type=Entry)
    path, dimension = Path(folder, entry.path), entry.dimension
    if not path.is_file():
        return 0, [f"{entry.path} is missing, or not to be seen on this executor"]
    problems = [] if hash_of(path) == entry.sha256 else ["its SHA-256 is another"]
    if entry.mapped is not None and hash_of(Path(folder, entry.mapped.path)) != entry.mapped.sha256:
        problems.append(f"{entry.mapped.path} beside it is missing, or its SHA-256 is another")
    sums, rows = Sums(entry.part.columns), 0
    order = Order([name for name in dimension.key if name in entry.part.columns])
    try:
        for table in pages_of(form, path, dimension, entry.part.columns):
            sums.add(hashes_of(dimension, table))
            order.add(table)
            rows += table.num_rows
            give_back()
    except (ValueError, OSError) as error:
        return rows, [f"{entry.path}: it can't be read: {error}"]
    problems += order.problems()
    if rows != entry.rows:
        problems.append(f"it has {rows} rows of {entry.rows}")
    others = [name for name, value in sums.hex().items() if entry.sums.get(name) != value]
    if others:
        problems.append(f"it holds other values in {', '.join(others)}")
    return rows, [f"{entry.path}: {problem}" for problem in problems]


class Looked(msgspec.Struct, frozen=True):
    """A file that a job has written; its sums are made as those of an export are."""

    path: str
    rows: int
    bytes: int
    sha256: str
    ascends: bool
    sums: dict[str, str]


def looked_at(folder: str, place: str, key: Sequence[str]) -> Looked:
    """Bring a file to the disk for good, and read it again.

    Args:
        folder: in which it lies.
        place: its name from there.
        key: columns by which its rows are to be in order, of those that it has.
    """
    import pyarrow.parquet as pq

    path = Path(folder, place)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        kinds = {field.name: _kind(field.type) for field in file.schema_arrow}
        sums, order, rows = Sums(names), Order([name for name in key if name in names]), 0
        for table in _pages(pa.Table.from_batches([batch]) for batch in file.iter_batches(PART_ROWS)):
            sums.add({name: hash_of_values(kinds[name], table.column(name)) for name in names})
            order.add(table)
            rows += table.num_rows
            give_back()
    ascends = order.ascends and not any(order.nulls.values())
    return Looked(place, rows, path.stat().st_size, hash_of(path), ascends, sums.hex())


def _kind(kind: pa.DataType) -> Kind:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_string(kind):
        return "string"
    return "double" if pa.types.is_floating(kind) else "int64"


def _pages(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in pages as an export has them, whatever the row groups are."""
    held: pa.Table | None = None
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows >= PART_ROWS:
            yield held.slice(0, PART_ROWS)
            held = held.slice(PART_ROWS)
    if held is not None and held.num_rows:
        yield held
