"""What jobs have made of exports: how long it stays. A result may be wanted longer than the export that it is of.

One goes when its export is gone, and newer ones of the same job are as many as there are to be. So a job that runs
every night leaves no more than a few, and one that was run once stays. Folders of other names, also copies of results,
are somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from backbone.domain.hanging import beat_of
from backbone.export.errors import ExportBusy
from backbone.export.files import Disk, locked
from backbone.export.known import exports_in
from backbone.export.layout import MANIFEST
from backbone.export.manifest import UNREADABLE
from backbone.export.shelf import remove_tree

__all__ = ["DERIVED", "prune_derived"]

DERIVED = "derived"
"""The folder, beside the exports, in which what was made of them lies."""

_REMOVED = ".removed-"
_NAME = re.compile(r"[a-z]+-.+-[0-9a-f]{16}")
"""A job's kind, its dimension and what it makes, and the hash of it."""


class _Job(msgspec.Struct, frozen=True):
    """The part of a job that tells which one it is."""

    kind: str
    export: str
    dimension: str | None = None
    interval: int = 0


class _Made(msgspec.Struct, frozen=True):
    """The part of a result's manifest that tells how long it stays."""

    job: _Job
    generated_at: Annotated[datetime, msgspec.Meta(tz=True)]


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
    if not above.is_dir() or not (any(_made(above)) or any(_rests(above))):
        return []  # somebody else's folder, perhaps, in which we may not even lock anything
    try:
        with locked(above):
            return _pruned(root, above, disk, (keep, None if keep_days is None else now - timedelta(days=keep_days)))
    except ExportBusy:
        return []


def _pruned(root: Path, above: Path, disk: Disk, bounds: tuple[int, datetime | None]) -> list[str]:
    for rest in sorted(_rests(above)):
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


def _rests(above: Path) -> Iterator[Path]:
    """What removals that were cut off have left."""
    return (each for each in above.glob(f"{_REMOVED}*") if _NAME.fullmatch(each.name.removeprefix(_REMOVED)))


def _made(above: Path) -> Iterator[tuple[datetime, Path, _Job]]:
    """The results there are; what has another name, or no manifest of ours that can be read, is somebody else's."""
    beat = beat_of()
    for folder in above.iterdir():
        beat()
        if not _NAME.fullmatch(folder.name) or folder.is_symlink():
            continue
        manifest = folder / MANIFEST
        try:
            made = msgspec.json.decode(manifest.read_bytes() if manifest.is_file() else b"", type=_Made)
        except (OSError, *UNREADABLE):
            continue
        if folder.name.startswith(f"{made.job.kind}-"):
            yield made.generated_at, folder, made.job
