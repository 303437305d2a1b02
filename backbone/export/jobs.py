"""The files of one dimension after the other: linked where they are known, else written; a job that fails says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from actors import Reject
from backbone.domain.dimension import Dimension
from backbone.domain.hanging import Threads
from backbone.export.beside import side_by_side
from backbone.export.errors import ContentDiffers
from backbone.export.files import Disk
from backbone.export.known import Known
from backbone.export.layout import JOURNAL, Layout
from backbone.export.manifest import Entry, Job, JobStatus
from backbone.export.mapped import MappedWriter
from backbone.export.writing import PartWriter
from backbone.store.snapshots import PartFacts

__all__ = ["AGAIN", "Jobs", "Progress"]

AGAIN = frozenset({"snapshot_lost", "unavailable", "busy"})
"""What the store refuses with when another snapshot may do better."""

_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (ContentDiffers, "content_differs"),
    (OSError, "write_failed"),
    (Reject, "query_failed"),
)


class Progress(msgspec.Struct, frozen=True):
    """How far an export is: rows and files that are done, and that there are; those of earlier exports are done."""

    rows_done: int = 0
    rows_total: int = 0
    files_done: int = 0
    files_total: int = 0


class Jobs:
    """What one attempt at an export does, job by job.

    Args:
        writer: writes the files.
        disk: the steps on the disk.
        threads: where they are taken.
        folder: of the export.
        layout: names the files.
        mapped: writes what lies beside them.

    Attributes:
        jobs: those that are done.
        entries: of their files, in the order of parts.
        counts: of files "written", "linked" and "kept".
    """

    def __init__(
        self,
        writer: PartWriter,
        disk: Disk,
        threads: Threads,
        folder: Path,
        layout: Layout,
        mapped: MappedWriter,
    ) -> None:
        self._writer = writer
        self._mapped = mapped
        self._disk = disk
        self._threads = threads
        self._folder = folder
        self._layout = layout
        self._journal = anyio.Lock()
        self._told: Callable[[Progress], None] = lambda _: None
        self._progress = Progress()
        self.jobs: list[Job] = []
        self.entries: list[Entry] = []
        self.counts = {"written": 0, "linked": 0, "kept": 0}

    @property
    def status(self) -> JobStatus:
        """The worst of all jobs; "warn" where there are none."""
        statuses = {job.status for job in self.jobs}
        if "fail" in statuses:
            return "fail"
        return "warn" if "warn" in statuses or not statuses else "ok"

    def expect(self, found: Mapping[Dimension, Sequence[PartFacts]], told: Callable[[Progress], None]) -> None:
        """Tell from now on how far it is of all that was found."""
        parts = [each for of in found.values() for each in of]
        self._told = told
        self._tell(rows_total=sum(each.rows for each in parts), files_total=len(parts))

    async def do(
        self, dimension: Dimension, parts: Sequence[PartFacts], known: Known | None, *, readers: int, last: bool
    ) -> None:
        """Make all files of a dimension; where one can't be made, those that were are kept for the next time.

        Args:
            dimension: whose.
            parts: one for each file.
            known: files of before; None: none is taken over.
            readers: files made at once.
            last: there is no other attempt.

        Raises:
            Reject: another snapshot may do better, and may be tried.
        """
        made: dict[int, Entry] = {}
        issues: tuple[str, ...] = () if parts else ("no_rows_returned",)
        why, waiting = "", iter(enumerate(parts))
        try:
            async with side_by_side() as group:
                for _ in range(readers):
                    group.start_soon(self._take, waiting, known, made)
        except (OSError, ContentDiffers, Reject) as error:
            if isinstance(error, Reject) and error.code in AGAIN and not last:
                raise
            issues = (next(issue for kind, issue in _FAILURES if isinstance(error, kind)),)
            why = (error.text if isinstance(error, Reject) else str(error)) or type(error).__name__
        entries = [made[n] for n in sorted(made)]
        self.entries += entries
        self.jobs.append(
            Job(
                dimension=dimension,
                status="fail" if why else "ok" if parts else "warn",
                issues=issues,
                why=why,
                files=len(entries),
                rows=sum(entry.rows for entry in entries),
                bytes=sum(entry.bytes for entry in entries),
            )
        )

    async def _take(
        self, waiting: Iterator[tuple[int, PartFacts]], known: Known | None, made: dict[int, Entry]
    ) -> None:
        for n, facts in waiting:
            made[n] = await self._file(facts, known)

    async def _file(self, facts: PartFacts, known: Known | None) -> Entry:
        """One file, and its line in the journal."""
        place = self._layout.place(facts.part)
        path = self._folder / place
        found = None if known is None else await self._threads.run(known.find, facts, place)
        if found is not None and (found[0] == path or await self._threads.run(self._linked, found[0], path)):
            entry, how = found[1], "kept" if found[0] == path else "linked"
            self._rows_done(entry.rows)
        else:
            found = None
            entry, how = await self._writer.write(facts, place, self._rows_done), "written"
        entry = await self._threads.run(self._mapped.beside, entry, None if found is None else found[0])
        if how != "kept":
            async with self._journal:
                line = msgspec.json.encode(entry) + b"\n"
                await self._threads.run(self._disk.append, self._folder / JOURNAL, line)
        self.counts[how] += 1
        self._tell(files_done=self._progress.files_done + 1)
        return entry

    def _linked(self, old: Path, new: Path) -> bool:
        """Whether the file could be given its name in this export; file systems without links have it written."""
        self._disk.folder(new.parent)
        try:
            self._disk.link(old, new)
        except OSError:
            return False
        return True

    def _rows_done(self, rows: int) -> None:
        self._tell(rows_done=self._progress.rows_done + rows)

    def _tell(self, **changes: int) -> None:
        self._progress = msgspec.structs.replace(self._progress, **changes)
        self._told(self._progress)
