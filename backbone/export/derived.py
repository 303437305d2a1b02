"""What jobs have made of exports: how long it stays. A result may be wanted longer than the export that it is of.

One goes when its export is gone, and newer ones of the same job are as many as there are to be. So a job that runs
every night leaves no more than a few, and one that was run once stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from backbone.export.errors import ExportBusy
from backbone.export.files import Disk, locked
from backbone.export.known import exports_in
from backbone.export.layout import MANIFEST
from backbone.export.shelf import remove_tree

__all__ = ["DERIVED", "prune_derived"]

DERIVED = "derived"
"""The folder, beside the exports, in which what was made of them lies."""

_REMOVED = ".removed-"


class _Job(msgspec.Struct, frozen=True):
    """The part of a job that tells which one it is."""

    kind: str
    export: str
    dimension: str | None = None
    interval: int = 0


class _Made(msgspec.Struct, frozen=True):
    """The part of a result's manifest that tells how long it stays."""

    job: _Job
    generated_at: datetime


def prune_derived(root: Path, disk: Disk, now: datetime, *, keep: int, keep_days: int | None) -> list[str]:
    """Remove results that nobody misses; where a job is writing another one the next export does.

    Args:
        root: the folder of exports.
        disk: the steps on the disk.
        now: the time.
        keep: the newest so many of each job stay.
        keep_days: none that is older stays; None: whatever their age.

    Returns:
        What is gone, as seen from the folder of exports.

    Raises:
        OSError: it can't be removed.
    """
    above = root / DERIVED
    if not above.is_dir():
        return []
    try:
        with locked(above):
            return _pruned(root, above, disk, (keep, None if keep_days is None else now - timedelta(days=keep_days)))
    except ExportBusy:
        return []


def _pruned(root: Path, above: Path, disk: Disk, bounds: tuple[int, datetime | None]) -> list[str]:
    for rest in sorted(above.glob(f"{_REMOVED}*")):  # of a removal that was cut off
        remove_tree(rest, disk)
    keep, oldest = bounds
    exports, gone = {folder.name for folder in exports_in(root)}, list[str]()
    newer: dict[tuple[object, ...], int] = {}
    for at, folder, job in sorted(_made(above), key=lambda each: each[:2], reverse=True):
        same = job.kind, job.dimension, job.interval
        newer[same] = newer.get(same, 0) + 1
        if job.export not in exports and (newer[same] > keep or (oldest is not None and at < oldest)):
            removed = above / f"{_REMOVED}{folder.name}"
            disk.rename(folder, removed)
            remove_tree(removed, disk)
            gone.append(f"{DERIVED}/{folder.name}")
    return sorted(gone)


def _made(above: Path) -> Iterator[tuple[datetime, Path, _Job]]:
    """The results there are; what has no manifest of ours is somebody else's."""
    for folder in above.iterdir():
        if folder.name.startswith(".") or folder.is_symlink():
            continue
        try:
            made = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Made)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            continue
        yield made.generated_at, folder, made.job
