"""A whole export: one moment of the store into a folder beside the earlier ones, then CURRENT names it.

export-<id>/ gets its files, each with a line in the journal as soon as it is there; then the manifest; then CURRENT is
replaced, which is the one act that publishes. Whoever is killed in between leaves CURRENT as it was, and a folder that
the next export goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Protocol

import anyio
import msgspec

from actors import Reject
from backbone.domain.dimension import Dimension
from backbone.domain.hanging import Hung
from backbone.domain.report import package_version
from backbone.domain.status import Status
from backbone.export import shelf
from backbone.export.beside import disk_threads
from backbone.export.derived import prune_derived
from backbone.export.errors import ExportFailed
from backbone.export.files import Claim, Disk
from backbone.export.forms import columns_of
from backbone.export.holding import make_holdable
from backbone.export.jobs import AGAIN, Jobs, Progress
from backbone.export.known import Known
from backbone.export.layout import CURRENT, JOURNAL, MANIFEST, METADATA, layout_of, name_of
from backbone.export.manifest import Entry, Header, Manifest, manifest_of, token_of
from backbone.export.mapped import MappedWriter
from backbone.export.messages import RunExport
from backbone.export.report import ExportReport
from backbone.export.writing import Ask, PartWriter, Spent
from backbone.settings import Settings
from backbone.store.messages import CloseSnapshot, FindParts, NoteExport, OpenSnapshot
from backbone.store.snapshots import PartFacts, Snapshot

__all__ = ["Exporter", "root_of"]

_OWNER = "export"
_CLOSE_SECONDS = 5.0
_PAUSE = 1.0  # seconds, and one more each time
_STATUS = {"ok": Status.OK, "warn": Status.DEGRADED, "fail": Status.FAILED}


class Clock(Protocol):
    """The time, and seconds that only rise."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def time(self) -> float:
        """Seconds."""
        ...


class Exporter:
    """Makes one export.

    Args:
        ask: asks the store.
        settings: where exports go, and how.
        clock: tells the time.
        asked: what is wanted.
        told: hears how far it is.
        disk: the steps on the disk.
    """

    def __init__(
        self,
        ask: Ask,
        settings: Settings,
        clock: Clock,
        asked: RunExport,
        told: Callable[[Progress], None] = lambda _: None,
        disk: Disk | None = None,
    ) -> None:
        self._ask = ask
        self._settings = settings
        self._clock = clock
        self._asked = asked
        self._told = told
        self._disk = Disk() if disk is None else disk
        self._layout = layout_of(settings.export, asked.form or settings.export.format)
        self._root = root_of(asked, settings)
        self._threads = disk_threads(settings, self._root)
        self._spent = Spent()
        self._named = "CURRENT names what it named before"

    async def run(self) -> ExportReport:
        """Make it.

        Raises:
            ExportBusy: another one writes to that folder.
            ExportFailed: the disk takes nothing, or does not answer.
            Reject: the store gives no snapshot.
        """
        began = self._clock.time()
        with self._explaining():
            try:
                await self._threads.run(self._disk.folder, self._root)
                claim = await self._threads.run(Claim, self._root)
                try:
                    report = await self._attempts()
                finally:  # others may write there as soon as no step that was given up can do any more
                    await self._threads.tidy(claim.let_go)
            finally:
                self._threads.rest()
        return msgspec.structs.replace(report, seconds=self._clock.time() - began)

    async def _attempts(self) -> ExportReport:
        """Until one comes to its end, or there were enough."""
        restarts = 0
        while True:
            try:
                report = await self._attempt(last=restarts == self._settings.export.restarts)
                return msgspec.structs.replace(report, restarts=restarts)
            except Reject as reject:
                if reject.code not in AGAIN or restarts == self._settings.export.restarts:
                    raise
            restarts += 1
            await anyio.sleep(_PAUSE * restarts)

    async def _attempt(self, *, last: bool) -> ExportReport:
        """Under one snapshot; what an earlier attempt has finished is taken over where its rows are the same."""
        export = self._settings.export
        snapshot: Snapshot = await self._ask(OpenSnapshot(_OWNER, export.snapshot_seconds, export.readers))
        try:
            return await self._under(snapshot, last=last)
        finally:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True), suppress(Reject):
                await self._ask(CloseSnapshot(snapshot.name))

    async def _under(self, snapshot: Snapshot, *, last: bool) -> ExportReport:
        found = await self._found(snapshot)
        facts = chain.from_iterable(found.values())
        folder = self._root / name_of(snapshot, self._asked_of(), self._layout, facts)
        header = Header(
            id=folder.name,
            generation=snapshot.generation,
            layout=self._layout.fingerprint(),
            format=self._layout.form,
            position=snapshot.position,
            drops=snapshot.drops,
        )
        known = await self._threads.run(Known, self._root, folder, snapshot, self._layout)
        await self._begin(folder, header, known)
        mapped = MappedWriter(
            self._disk, folder, wanted=self._settings.export.mapped and self._layout.form == "parquet"
        )
        writer = self._part_writer(folder, snapshot)
        jobs = Jobs(writer, self._disk, self._threads, folder, self._layout, mapped)
        jobs.expect(found, self._told)
        for dimension, parts in found.items():
            await jobs.do(dimension, parts, None if self._asked.anew else known, readers=snapshot.readers, last=last)
        report = await self._finish(folder, header, jobs)
        return await self._noted(report, snapshot, folder) if report.current == report.id else report

    async def _noted(self, report: ExportReport, snapshot: Snapshot, folder: Path) -> ExportReport:
        """Let the store know of the export: only so its files may stand for rows that are read."""
        try:
            await self._ask(NoteExport(await self._threads.run(token_of, folder), snapshot.level))
        except Reject as reject:
            note = f"the store has not noted it ({reject.text}): reads do not use it"
            return msgspec.structs.replace(report, note="; ".join(filter(None, (report.note, note))))
        return report

    def _part_writer(self, folder: Path, snapshot: Snapshot) -> PartWriter:
        form = self._layout.form
        return PartWriter(self._ask, self._disk, self._threads, folder, form, snapshot.name, self._spent)

    def _asked_of(self) -> list[object]:
        asked = self._asked
        return [sorted(asked.dimensions), sorted(asked.symbols), asked.start, asked.end]

    async def _found(self, snapshot: Snapshot) -> dict[Dimension, list[PartFacts]]:
        """The parts of each dimension; of those that nobody named, only of such as have any."""
        asked, found = self._asked, dict[Dimension, list[PartFacts]]()
        for dimension in dict.fromkeys(asked.dimensions or tuple(Dimension)):
            wanted = self._layout.parts(dimension, asked.symbols, asked.start, asked.end)
            parts: list[PartFacts] = await self._ask(FindParts(snapshot.name, wanted))
            if parts or asked.dimensions:
                found[dimension] = parts
        return found

    async def _begin(self, folder: Path, header: Header, known: Known) -> None:
        """Make the folder, and a journal of what an earlier attempt at the very same export has left in it.

        One that has its manifest needs no other journal.
        """
        if await self._threads.run(manifest_of, folder) is not None:
            return
        await self._threads.run(self._disk.folder, folder)
        await self._threads.run(make_holdable, folder)
        lines = [msgspec.json.encode(each) for each in (header, *known.here.values())]
        await self._threads.run(self._disk.put, folder / JOURNAL, b"".join(line + b"\n" for line in lines))

    async def _finish(self, folder: Path, header: Header, jobs: Jobs) -> ExportReport:
        """Write the manifest, let CURRENT name the export where it is whole, and remove what is too much."""
        status, pruned, clings = jobs.status, shelf.Pruned([], []), ""
        await self._threads.run(self._seal, folder, header, jobs)
        if status != "fail" and jobs.entries:
            pruned, clings = await self._threads.run(self._publish, folder)
        return ExportReport(
            status=Status.worst((_STATUS[status], Status.DEGRADED if clings else Status.OK)),
            settings_hash=self._settings.hash,
            id=header.id,
            folder=str(folder),
            current=await self._threads.run(shelf.current, self._root),
            format=header.format,
            position=header.position,
            jobs=tuple(jobs.jobs),
            rows=sum(job.rows for job in jobs.jobs),
            bytes=sum(job.bytes for job in jobs.jobs),
            written=jobs.counts["written"],
            linked=jobs.counts["linked"],
            kept=jobs.counts["kept"],
            write_s=self._spent.write,
            sums_s=self._spent.sums,
            verify_s=self._spent.verify,
            removed=tuple(pruned.gone),
            note=_note(pruned, clings, empty=not jobs.entries and status != "fail"),
            span_start=min((entry.earliest for entry in jobs.entries), default=None),
            span_end=max((entry.latest for entry in jobs.entries), default=None),
        )

    def _seal(self, folder: Path, header: Header, jobs: Jobs) -> None:
        """Remove what does not belong there, and write the manifest; that of a whole export gives way to no other."""
        before, entries = manifest_of(folder), tuple(jobs.entries)
        if jobs.status == "fail" and before is not None and before.status != "fail":
            return
        if jobs.status != "fail":
            self._describe(folder, entries)
            for path in shelf.strangers(folder, entries):
                self._disk.remove(folder / path)
            if before is not None and (before.header, before.files, before.status) == (header, entries, jobs.status):
                return
        manifest = Manifest(
            version=package_version(),
            generated_at=self._clock.now(),
            settings_hash=self._settings.hash,
            status=jobs.status,
            job_count=len(jobs.jobs),
            header=header,
            requested=msgspec.to_builtins(self._asked, str_keys=True),
            columns={entry.dimension: columns_of(entry.part) for entry in entries},
            jobs=tuple(jobs.jobs),
            files=entries,
        )
        self._disk.put(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")

    def _describe(self, folder: Path, entries: Sequence[Entry]) -> None:
        """Say beside files without types what their columns are."""
        if self._layout.form == "parquet" or not self._settings.export.include_metadata:
            return
        for dimension in dict.fromkeys(entry.dimension for entry in entries):
            of = [entry for entry in entries if entry.dimension is dimension]
            described = {
                "dimension": dimension,
                "columns": columns_of(of[0].part),
                "key": dimension.key,
                "partition_by": self._layout.order,
                "files": len(of),
                "rows": sum(entry.rows for entry in of),
            }
            self._disk.put(folder / dimension / METADATA, msgspec.json.encode(described) + b"\n")

    def _publish(self, folder: Path) -> tuple[shelf.Pruned, str]:
        """Let CURRENT name it; returns what was removed, and what was in the way of that: the export stands."""
        export = self._settings.export
        if shelf.current(self._root) != folder.name:
            self._named = "CURRENT names either what it named before or this export, each of them whole"
            self._disk.put(self._root / CURRENT, f"{folder.name}\n".encode())
        self._named = "CURRENT names this export"
        now, keep, keep_days = self._clock.now(), export.keep, export.keep_days
        try:
            pruned = shelf.prune(self._root, self._disk, now, keep=keep, keep_days=keep_days)
            pruned.gone.extend(prune_derived(self._root, self._disk, now, keep=keep, keep_days=keep_days))
        except OSError as error:
            what = f"{error.filename or self._root} can't be removed ({error.strerror or error})"
            text = f"CURRENT names this export; of those that may go {what}: make that possible, the next one tries"
            return shelf.Pruned([], []), text
        return pruned, ""

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """What the disk refuses is told as an export that failed, and so is that it says nothing."""
        try:
            yield
        except Hung as error:
            todo = "look after that disk, or give a slow one more time (export.write_seconds)"
            raise ExportFailed(f"{error}; {self._named}: {todo}; then the same export goes on") from error
        except OSError as error:
            what = error.strerror or str(error)
            text = f"{error.filename or self._root}: can't be written ({what}); make room, or give another folder"
            raise ExportFailed(text) from error


def root_of(asked: RunExport, settings: Settings) -> Path:
    """The folder in which the export is to lie."""
    return Path(asked.to or settings.export.path).absolute()


def _note(pruned: shelf.Pruned, clings: str, *, empty: bool) -> str:
    """What else there is to say of an export."""
    if empty:
        return "no rows were found; CURRENT was left as it is"
    read = ", ".join(pruned.read)
    return clings or (f"{read} would go, and somebody reads it: the next export removes it" if read else "")
