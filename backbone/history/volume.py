"""The newest published export, as reads look at it: which symbols it has, and in which parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from backbone.domain.clock import MAX_US, MIN_US, to_us
from backbone.domain.dimension import Dimension
from backbone.export.forms import columns_of
from backbone.export.layout import CURRENT, MANIFEST
from backbone.export.manifest import Entry, Manifest, tokened
from backbone.history.disks import is_remote

__all__ = ["Volume", "bounds_of", "stamp_of", "volume_of"]

Bounds = tuple[int, int]


class Volume(msgspec.Struct, frozen=True):
    """An export.

    Attributes:
        folder: where it lies.
        token: what it is known by to the store.
        drops: how often rows had been dropped by its moment.
        bounds: of what it was asked for, inclusive.
        entries: by dimension and symbol, ascending by time.
        parts: the bounds of these.
        remote: it lies on a disk of another machine: its files are not mapped, for one that can't be reached would stop
            the whole process in the midst of a row.
        why_not: why none of it is used; "" where it is.
    """

    folder: Path
    token: str = ""
    drops: int = 0
    bounds: Bounds = (MIN_US, MAX_US)
    entries: Mapping[tuple[Dimension, str], Sequence[Entry]] = {}
    parts: Mapping[tuple[Dimension, str], Sequence[Bounds]] = {}
    remote: bool = False
    why_not: str = ""

    def reaching_into(self, dimension: Dimension, symbol: str, start_us: int, end_us: int) -> Sequence[Entry]:
        """The parts of a symbol that reach into a span, both ends inclusive."""
        bounds = self.parts.get((dimension, symbol), ())
        first = bisect_left(bounds, start_us, key=_end)
        return self.entries.get((dimension, symbol), ())[first : bisect_right(bounds, end_us, key=_start)]


def stamp_of(root: Path) -> tuple[object, ...]:
    """Another one as soon as CURRENT or the manifest that it leads to was replaced; cheap.

    Raises:
        OSError: there is none.
    """
    current = root / CURRENT
    manifest = root / current.read_text(encoding="utf-8", errors="replace").strip() / MANIFEST
    return tuple((found.st_ino, found.st_size, found.st_mtime_ns) for found in (current.stat(), manifest.stat()))


def volume_of(root: Path) -> Volume:
    """The export that CURRENT names.

    Raises:
        OSError, ValueError: it can't be read.
    """
    name = (root / CURRENT).read_text(encoding="utf-8").strip()
    folder = root / name
    if folder.parent != root:
        raise ValueError(f"{root / CURRENT} names {name[:80]!r}, which is no export")
    token, manifest = tokened(folder)
    why_not = _why_not(folder, manifest)
    if why_not:
        return Volume(folder, why_not=why_not)
    entries: dict[tuple[Dimension, str], list[Entry]] = {}
    for entry in manifest.files:
        entries.setdefault((entry.dimension, str(entry.symbol)), []).append(entry)
    for of in entries.values():
        of.sort(key=bounds_of)
    parts = {key: [bounds_of(entry) for entry in of] for key, of in entries.items()}
    return Volume(folder, token, manifest.header.drops, _asked(manifest.requested), entries, parts, is_remote(folder))


def _why_not(folder: Path, manifest: Manifest) -> str:
    if manifest.header.id != folder.name:
        return f"its manifest is that of {manifest.header.id}"
    if manifest.header.format != "parquet":
        return f"its files are {manifest.header.format}; export.format=parquet makes some that are read"
    if any(entry.symbol is None for entry in manifest.files):
        return "its files hold several symbols each; export.partition_by=date,symbol makes some that are read"
    for entry in {each.dimension: each for each in manifest.files}.values():
        if manifest.columns.get(entry.dimension) != columns_of(entry.part):
            return f"version {manifest.version} wrote {entry.dimension} with other columns; export anew"
    return ""


def _asked(requested: Mapping[str, Any]) -> Bounds:
    start, end = (
        None if requested.get(name) is None else msgspec.convert(requested[name], datetime, strict=False)
        for name in ("start", "end")
    )
    return MIN_US if start is None else to_us(start), MAX_US if end is None else to_us(end)


def bounds_of(entry: Entry) -> Bounds:
    """From when to when a part holds rows, both inclusive, in microseconds since 1970."""
    return MIN_US if entry.start is None else to_us(entry.start), MAX_US if entry.end is None else to_us(entry.end)


def _start(part: Bounds) -> int:
    return part[0]


def _end(part: Bounds) -> int:
    return part[1]
