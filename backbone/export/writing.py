"""One part into one file: page by page, then summed by the store, read back from the disk, and put in its place."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbone.domain.hanging import Threads, beat_of
from backbone.domain.memory import give_back
from backbone.export.beside import side_by_side
from backbone.export.errors import ContentDiffers
from backbone.export.files import Disk, Sink
from backbone.export.forms import Writer, pages_of, writer
from backbone.export.manifest import Entry
from backbone.export.sums import Sums, hashes_of
from backbone.store.messages import ReadPart, SumPart
from backbone.store.snapshots import Part, PartFacts, PartPage, key_behind

__all__ = ["Ask", "PartWriter", "Spent", "sums_of_file"]

Ask = Callable[[Any], Awaitable[Any]]
Keys = list[tuple[object, ...] | None]


@dataclass(slots=True)
class Spent:
    """Seconds that went into each kind of work, summed over all that was done side by side."""

    write: float = 0.0
    sums: float = 0.0
    verify: float = 0.0

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of what is done within."""
        began = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, what, getattr(self, what) + time.perf_counter() - began)


@dataclass(slots=True)
class _Written:
    """A file as it was written: behind which keys its pages begin, and what it came to."""

    keys: Keys = field(default_factory=lambda: [None])
    rows: int = 0
    bytes: int = 0
    sha256: str = ""


class PartWriter:
    """Writes parts of one snapshot into the folder of an export.

    Args:
        ask: asks the store.
        disk: the steps on the disk.
        threads: where columns are encoded and hashed.
        folder: of the export.
        form: parquet, csv or jsonl.
        snapshot: which moment is read.
        spent: gets the time that it took.
    """

    def __init__(
        self,
        ask: Ask,
        disk: Disk,
        threads: Threads,
        folder: Path,
        form: str,
        snapshot: str,
        spent: Spent,
    ) -> None:
        self._ask = ask
        self._disk = disk
        self._threads = threads
        self._folder = folder
        self._form = form
        self._snapshot = snapshot
        self._spent = spent

    async def write(self, facts: PartFacts, place: str, read: Callable[[int], None]) -> Entry:
        """Write a part.

        Args:
            facts: which, and how many rows it has.
            place: of its file, from the folder of the export.
            read: told of the rows of each page.

        Raises:
            Reject: the store refuses.
            OSError: the disk does.
            ContentDiffers: what is on the disk is not what the store has.
        """
        part, path = facts.part, self._folder / place
        partial = path.with_name(f".{path.name}.tmp")
        await self._threads.run(self._disk.folder, path.parent)
        with self._spent.on("write"):
            written = await self._written(part, partial, read)
        with self._spent.on("sums"):
            told = await self._summed(part, written.keys)
        with self._spent.on("verify"):
            rows, found = await self._threads.run(sums_of_file, self._form, partial, part)
        if (rows, found) != (facts.rows, told) or written.rows != facts.rows:
            columns = [name for name, value in found.items() if told[name] != value]
            what = f"differs in {', '.join(columns)}" if columns else f"has {rows} rows of {facts.rows}"
            await self._threads.run(self._disk.remove, partial)
            raise ContentDiffers(f"{place} {what}: what was read back is not what the store has; it was not taken")
        await self._threads.run(self._disk.rename, partial, path)
        return Entry(
            dimension=part.dimension,
            symbol=part.symbol,
            start=part.start,
            end=part.end,
            path=place,
            rows=rows,
            earliest=facts.earliest,
            latest=facts.latest,
            version=facts.version,
            bytes=written.bytes,
            sha256=written.sha256,
            sums=told,
        )

    async def _written(self, part: Part, path: Path, read: Callable[[int], None]) -> _Written:
        """Write the file under its name of meanwhile; where that fails it is gone again."""
        file = await self._threads.run(self._disk.open, path)
        sink, whole, tidy = Sink(self._disk, file), False, ExitStack()
        tidy.callback(self._remove, path)
        tidy.callback(file.close)
        try:
            out = await self._threads.run(writer, self._form, sink, part.dimension, part.columns)
            tidy.callback(out.close)
            written = await self._all_pages(part, out, read)
            await self._threads.run(out.close)
            await self._threads.run(self._disk.finish, file)
            await self._threads.run(file.close)
            whole = True
        finally:
            if not whole:
                sink.abandon()
                await self._threads.tidy(tidy.close)
        written.bytes, written.sha256 = sink.size, sink.sha256
        return written

    def _remove(self, path: Path) -> None:
        with suppress(OSError):  # the next export does
            self._disk.remove(path)

    async def _all_pages(self, part: Part, out: Writer, read: Callable[[int], None]) -> _Written:
        """While a page is encoded the next one is read."""
        written = _Written()
        page: PartPage | None = await self._page(part, None)
        while page is not None:
            table = page.frame.to_arrow().select(part.columns)
            following = None
            async with side_by_side() as group:
                group.start_soon(self._threads.run, _encode, out, table)
                if page.more:
                    written.keys.append(key_behind(page.frame))
                    following = await self._page(part, written.keys[-1])
            written.rows += table.num_rows
            read(table.num_rows)
            page = following
        return written

    async def _page(self, part: Part, after: tuple[object, ...] | None) -> PartPage | None:
        page: PartPage = await self._ask(ReadPart(self._snapshot, part, after))
        return page if page.frame.num_rows else None

    async def _summed(self, part: Part, keys: Keys) -> dict[str, str]:
        """What the store says of each page."""
        sums = Sums(part.columns)
        for after in keys:
            page = await self._ask(SumPart(self._snapshot, part, after))
            if page.rows:
                sums.add(page.hashes)
        return sums.hex()


def _encode(out: Writer, table: pa.Table) -> None:
    """Take a page in; what that held goes back at once, for each of several threads would keep as much."""
    out.add(table)
    give_back()


def sums_of_file(form: str, path: Path, part: Part) -> tuple[int, dict[str, str]]:
    """How many rows a file has, and the sums of its columns.

    Raises:
        ContentDiffers: it can't be read.
    """
    sums, rows, beat = Sums(part.columns), 0, beat_of()
    try:
        for table in pages_of(form, path, part.dimension, part.columns):
            beat()
            sums.add(hashes_of(part.dimension, table))
            rows += table.num_rows
            give_back()
    except (ValueError, OSError) as error:
        raise ContentDiffers(f"{path.name} can't be read: {error}") from error
    return rows, sums.hex()
