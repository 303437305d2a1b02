"""The exports of a folder: which there are, which one is current, whether one is whole, and which may go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from backbone.domain.hanging import beat_of
from backbone.domain.status import Status
from backbone.export.errors import ContentDiffers, ExportMissing
from backbone.export.files import Disk, hash_of
from backbone.export.holding import HELD, Gone, reading, unread
from backbone.export.known import exports_in, is_export
from backbone.export.layout import CURRENT, JOURNAL, MANIFEST, METADATA
from backbone.export.manifest import Entry, Manifest, journal_of, manifest_of
from backbone.export.report import ExportsReport, Kept, VerifyReport
from backbone.export.writing import sums_of_file

__all__ = [
    "Pruned",
    "chosen",
    "contradictions",
    "current",
    "held",
    "is_rest",
    "listing",
    "prune",
    "strangers",
    "verify",
]

_REMOVED = ".removed-"


class Pruned(NamedTuple):
    """Names of exports that are gone, and of those that would be if nobody read them."""

    gone: list[str]
    read: list[str]


def current(root: Path) -> str:
    """The export that CURRENT names; "" where it names none."""
    try:
        return (root / CURRENT).read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def listing(root: Path) -> ExportsReport:
    """All exports, the newest first, those that are not whole behind."""
    now = current(root)
    found = [_kept(folder, now) for folder in exports_in(root)]
    found.sort(key=lambda each: each.generated_at.timestamp() if each.generated_at else float("-inf"), reverse=True)
    return ExportsReport(folder=str(root), exports=tuple(found))


def _kept(folder: Path, now: str) -> Kept:
    manifest = manifest_of(folder)
    header, entries = journal_of(folder)
    state = "unfinished" if manifest is None else _state(manifest)
    return Kept(
        id=folder.name,
        state="current" if folder.name == now and state == "whole" else state,
        format="" if header is None else header.format,
        generated_at=None if manifest is None else manifest.generated_at,
        files=len(entries),
        rows=sum(entry.rows for entry in entries),
        bytes=sum(entry.bytes for entry in entries),
        jobs=() if manifest is None else manifest.jobs,
    )


def _state(manifest: Manifest) -> str:
    return "failed" if manifest.status == "fail" else "whole" if manifest.files else "empty"


def chosen(root: Path, name: str | None) -> tuple[Path, Manifest]:
    """The export of that name, None: the current one.

    Raises:
        ExportMissing: there is none, or it has no manifest.
    """
    wanted = name or current(root)
    if not wanted:
        raise ExportMissing(f"{root} has no current export; backbone export makes one")
    folder = root / wanted
    if folder.parent != root or folder not in exports_in(root):
        raise ExportMissing(f"{root} has no export {wanted!r}; backbone export list shows those that there are")
    manifest = manifest_of(folder)
    if manifest is None:
        raise ExportMissing(_without_manifest(folder))
    return folder, manifest


@contextmanager
def held(root: Path, name: str | None = None) -> Iterator[tuple[Path, Manifest]]:
    """The same, which nobody removes meanwhile, also where CURRENT names another one by then.

    Raises:
        ExportMissing: there is none.
    """
    with ExitStack() as stack:
        while True:
            folder, manifest = chosen(root, name)
            try:
                stack.enter_context(reading(folder))
                break
            except Gone as gone:
                if name or current(root) == folder.name:
                    raise ExportMissing(f"{gone}; backbone export list shows those that there are") from gone
        yield folder, manifest


def _without_manifest(folder: Path) -> str:
    """Why there is nothing to look at: an export that was cut off has a journal, one that somebody emptied has not."""
    if (folder / JOURNAL).exists():
        return f"{folder.name} is unfinished; the same backbone export goes on with it"
    return f"{folder.name} has no {MANIFEST} that can be read, and no {JOURNAL}; backbone export makes another"


def verify(root: Path, name: str | None = None) -> VerifyReport:
    """Read every file of an export again, and compare it with the manifest.

    Raises:
        ExportMissing: there is no such export.
    """
    with held(root, name) as (folder, manifest):
        return _verified(folder, manifest)


def _verified(folder: Path, manifest: Manifest) -> VerifyReport:
    problems = [*contradictions(folder, manifest)]
    if not manifest.files:
        problems.append(f"{MANIFEST} names no files: there is nothing that could be right")
    problems += [problem for entry in manifest.files for problem in _problems(folder, manifest, entry)]
    problems += [f"{path} does not belong there" for path in strangers(folder, manifest.files) if not is_rest(path)]
    problems += [f"{job.dimension}: {job.why}" for job in manifest.jobs if job.status == "fail"]
    return VerifyReport(
        status=Status.FAILED if problems else Status.OK,
        settings_hash=manifest.settings_hash,
        folder=str(folder),
        id=folder.name,
        files=len(manifest.files),
        rows=sum(entry.rows for entry in manifest.files),
        dimensions=tuple(dict.fromkeys(entry.dimension for entry in manifest.files)),
        problems=tuple(problems),
        span_start=min((entry.earliest for entry in manifest.files), default=None),
        span_end=max((entry.latest for entry in manifest.files), default=None),
    )


def contradictions(folder: Path, manifest: Manifest) -> Iterator[str]:
    """What a manifest says that can't be so, for it was changed, or it is that of another export."""
    if manifest.header.id != folder.name:
        yield f"{MANIFEST} is that of {manifest.header.id}"
    for job in manifest.jobs:
        of = [entry for entry in manifest.files if entry.dimension is job.dimension]
        there = (len(of), sum(entry.rows for entry in of), sum(entry.bytes for entry in of))
        if there != (job.files, job.rows, job.bytes):
            wrote = f"its job wrote {job.files} with {job.rows}"
            yield f"{MANIFEST} names {there[0]} files of {job.dimension} with {there[1]} rows; {wrote}"
    for dimension in {entry.dimension for entry in manifest.files} - {job.dimension for job in manifest.jobs}:
        yield f"{MANIFEST} names files of {dimension}, which no job wrote"
    if manifest.job_count != len(manifest.jobs):
        yield f"{MANIFEST} names {len(manifest.jobs)} jobs of {manifest.job_count}"


def _problems(folder: Path, manifest: Manifest, entry: Entry) -> Iterator[str]:
    if entry.mapped is not None and hash_of(folder / entry.mapped.path) != entry.mapped.sha256:
        yield f"{entry.mapped.path} is missing, or not the file that was written: its SHA-256 is another"
    path = folder / entry.path
    if not path.is_file():
        yield f"{entry.path} is missing"
        return
    if hash_of(path) != entry.sha256:
        yield f"{entry.path} is not the file that was written: its SHA-256 is another"
    try:
        rows, sums = sums_of_file(manifest.header.format, path, entry.part)
    except ContentDiffers as error:
        yield f"{entry.path}: {error}"
        return
    if rows != entry.rows:
        yield f"{entry.path} has {rows} rows of {entry.rows}"
    elif sums != dict(entry.sums):
        yield f"{entry.path} holds other values in {', '.join(n for n, v in sums.items() if entry.sums.get(n) != v)}"


def is_rest(path: str) -> bool:
    """Whether it is what a run that was cut off has left, which nobody reads, and which the next run removes."""
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(".tmp")


def strangers(folder: Path, entries: tuple[Entry, ...]) -> list[str]:
    """Files in the folder of an export that are none of its own."""
    own = {entry.path for entry in entries} | {JOURNAL, MANIFEST, HELD}
    own |= {entry.mapped.path for entry in entries if entry.mapped is not None}
    own |= {f"{entry.dimension}/{METADATA}" for entry in entries}
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return sorted({path.relative_to(folder).as_posix() for path in found} - own)


def prune(root: Path, disk: Disk, now: datetime, *, keep: int, keep_days: int | None) -> Pruned:
    """Remove exports beyond the newest so many, those that are too old, without rows, and that never became whole.

    That which CURRENT names stays, and so do those that are read. One that is removed loses its name first, so that it
    never looks whole.
    """
    name = current(root)
    for rest in sorted(root.glob(f"{_REMOVED}*")):  # of a removal that was cut off: a name that is needed
        if is_export(rest.name.removeprefix(_REMOVED)):
            remove_tree(rest, disk)
    whole, gone = list[tuple[datetime, Path]](), list[Path]()
    beat = beat_of()
    for folder in exports_in(root):
        beat()
        manifest = manifest_of(folder)
        if manifest is None or _state(manifest) != "whole":
            gone.append(folder)
        else:
            whole.append((manifest.generated_at, folder))
    whole.sort(key=lambda each: (each[1].name == name, each), reverse=True)
    oldest = None if keep_days is None else now - timedelta(days=keep_days)
    gone += [folder for n, (at, folder) in enumerate(whole) if n >= keep or (oldest is not None and at < oldest)]
    pruned = Pruned([], [])
    for folder in sorted(folder for folder in gone if folder.name != name):
        removed = root / f"{_REMOVED}{folder.name}"
        with unread(folder) as free:
            if free:
                disk.rename(folder, removed)
        if free:
            remove_tree(removed, disk)
        (pruned.gone if free else pruned.read).append(folder.name)
    return pruned


def remove_tree(folder: Path, disk: Disk) -> None:
    """Remove a folder with all that is in it; links are not followed."""
    if folder.is_symlink():
        disk.remove(folder)
        return
    for place, folders, files in os.walk(folder, topdown=False):
        for each in (*files, *folders):
            disk.remove(Path(place, each))
    disk.remove(folder)
