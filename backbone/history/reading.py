"""Windows out of the newest export where the store says that nothing in them has changed, the rest out of the store.

The store is asked once: what has been written or dropped since the export, and the rows of that, all of one moment.
Only what it proves to stand is taken from files. It is asked after who reads has asked, so whoever fetches on an update
never gets rows of before it. A file that is not what was written is passed by, and all is read from the store. So is
one that does not answer, and as long as it does not, no file is read at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from backbone.calls import Calls, refuse
from backbone.domain.canonical import reorder
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.hanging import Hung, Threads, beat_of, leave_disk
from backbone.domain.stored import one_chunk
from backbone.export.manifest import Entry
from backbone.history.errors import Damaged
from backbone.history.files import Marks, Spoilt, marks_of, paths_of
from backbone.history.opened import Opened
from backbone.history.probing import Probe
from backbone.history.served import Served
from backbone.history.volume import Volume, bounds_of, stamp_of, volume_of
from backbone.settings import Settings
from backbone.store.messages import ReadRows, ReadSince
from backbone.store.records import Query, ReadResult
from backbone.store.since import Since, SinceResult, Stretch, window_of

__all__ = ["History", "nobody"]

_EXPLAIN_SECONDS = 30.0
_FEW_ROWS = 50_000  # so many are put together within a millisecond

Span = tuple[str, int]


class History:
    """Reads windows. It outlives the actor that looks after it.

    Args:
        settings: where exports lie, and whether reads use them.
        calls: where the store is.

    Attributes:
        volume: the export that is read; None: there is none.
        damaged: by the place of a part, what is wrong with it.
        served: what reads came to.
        changed: called where a file turns out to be damaged, or another export is read.
    """

    def __init__(self, settings: Settings, calls: Calls) -> None:
        self._root = Path(settings.export.path).absolute()
        self._mapped = settings.export.mapped
        self._inline = settings.store.inline
        self._calls = calls
        self._threads = Threads(settings.export.read_seconds, str(self._root))
        self._probe = Probe(self._threads, self._root)
        self._opened = Opened()
        self._stamp: tuple[object, ...] = ()
        self._marks: dict[str, tuple[Entry, Marks]] = {}
        self.enabled = settings.export.reads
        self.volume: Volume | None = None
        self.why_not = "no export was looked for yet"
        self.damaged: dict[str, str] = {}
        self.served = Served()
        self.changed: Callable[[], None] = nobody

    @property
    def hung(self) -> str:
        """What of the disk does not answer, in words; "" where nothing is waited for."""
        return self._threads.hung

    def rest(self) -> None:
        """Keep no threads; who reads gets some."""
        self._threads.rest()

    async def look(self) -> None:
        """Take the export that CURRENT names now; where the disk hangs, that stays which was read before."""
        if not self.enabled or not await self._probe.answers():
            return
        try:
            stamp = await self._run(lambda: stamp_of(self._root))
            if stamp == self._stamp and self.volume is not None:
                await self._look_at_damage(self.volume.folder)
                return
            volume = await self._run(lambda: volume_of(self._root))
        except Hung as error:
            self.why_not = self.why_not if self.volume is not None else str(error)
            return
        except (OSError, ValueError) as error:
            volume, self.why_not = None, f"no current export in {self._root}: {error}"
        else:
            self._stamp, self.why_not = stamp, volume.why_not
        if volume is None or self.volume is None or volume.token != self.volume.token:
            self._mended()
            self._opened.close(None if volume is None else volume.folder)
        self.volume = volume

    async def _look_at_damage(self, folder: Path) -> None:
        """Try files again that are others now: whoever mended them, in another process, tells nobody."""
        if not self._marks:
            return
        before = dict(self._marks)
        now = await self._run(lambda: {path: marks_of(folder, entry) for path, (entry, _) in before.items()})
        self._mended([path for path, (_, marks) in before.items() if now[path] != marks])

    def _mended(self, paths: Iterable[str] | None = None) -> None:
        for path in list(self.damaged) if paths is None else paths:
            self.damaged.pop(path, None)
            self._marks.pop(path, None)

    async def published(self) -> None:
        """There is an export, perhaps the same one again, whose files were looked at and mended."""
        self._mended()
        self._opened.close(None)
        await self.look()
        self.changed()

    async def read(self, query: Query, timeout: float) -> ReadResult:
        """A window.

        Raises:
            Reject: the store refuses, or is down.
        """
        volume = self.volume
        since = None if volume is None or not self.enabled or self.hung else self._since(volume, query)
        if volume is not None and since is not None:
            result: SinceResult = await self._calls.ask("store", ReadSince(query, since), timeout)
            try:
                return await self._whole(query, volume, result)
            except (Damaged, Hung) as error:
                self._note_damage(volume, error)
            except ValueError as error:  # more than a frame may hold
                raise refuse(error) from error
        read: ReadResult = await self._calls.ask("store", ReadRows(query), timeout)
        self.served.store_rows += read.frame.num_rows
        return read

    def _since(self, volume: Volume, query: Query) -> Since | None:
        """What is held of a query; None: nothing that is worth a question, or that means the same."""
        if volume.why_not or not _is_plain(query):
            return None
        window = window_of(query)
        if not any(volume.reaching_into(query.dimension, symbol, *window) for symbol in query.symbols):
            return None
        parts = {
            symbol: volume.parts[query.dimension, symbol]
            for symbol in query.symbols
            if (query.dimension, symbol) in volume.parts
        }
        return Since(volume.token, volume.drops, volume.bounds, parts, self._lacking(volume, query, window))

    def _lacking(self, volume: Volume, query: Query, window: tuple[int, int]) -> tuple[Stretch, ...]:
        if not self.damaged:
            return ()
        return tuple(
            Stretch(symbol, *bounds_of(entry))
            for symbol in query.symbols
            for entry in volume.reaching_into(query.dimension, symbol, *window)
            if entry.path in self.damaged
        )

    async def _whole(self, query: Query, volume: Volume, result: SinceResult) -> ReadResult:
        """What stands out of the files, and what was read anew, put together."""
        anew = sum(frame.num_rows for frame in result.frames)
        self.served.store_rows += anew
        if result.anew is None:
            self.served.unknown += 1
            return ReadResult(_frame(query, [frame.to_arrow() for frame in result.frames]), *_position(result))
        wanted = [
            (symbol, start, end, entry)
            for symbol, start, end in _standing(query, result.anew)
            for entry in volume.reaching_into(query.dimension, symbol, start, end)
        ]
        rows = anew + sum(entry.rows for *_, entry in wanted)
        is_slice = len(wanted) == 1 and not result.frames and _in_order(query)
        few = all(self._at_hand(volume, entry) for *_, entry in wanted) and (is_slice or rows <= _FEW_ROWS)
        try:
            frame, held = await self._run(lambda: self._together(query, volume, wanted, result.frames), inline=few)
        except Hung:
            self._probe.doubt(path for *_, entry in wanted for path in paths_of(volume.folder, entry))
            raise
        self.served.note(volume.folder.name, query, held=held)
        return ReadResult(frame, *_position(result))

    def _at_hand(self, volume: Volume, entry: Entry) -> bool:
        part = self._opened.at_hand(volume.folder, entry)
        return part is not None and part.at_hand and not volume.remote

    def _together(
        self, query: Query, volume: Volume, wanted: list[tuple[str, int, int, Entry]], frames: Iterable[Frame]
    ) -> tuple[Frame, int]:
        pieces: list[tuple[Span, pa.Table]] = []
        beat = beat_of()
        for symbol, start, end, entry in wanted:
            beat()
            at = symbol, max(start, bounds_of(entry)[0])
            pieces += [(at, table) for table in self._between(volume, entry, start, end, query.interval)]
        held = sum(table.num_rows for _, table in pieces)
        for frame in frames:
            for symbol, of in frame.split_by_symbol() if frame.num_rows else ():
                pieces.append(((symbol, of.span_us[0]), of.to_arrow()))
        pieces.sort(key=lambda piece: piece[0])
        return _frame(query, [table for _, table in pieces]), held

    def _between(self, volume: Volume, entry: Entry, start: int, end: int, interval: str | None) -> list[pa.Table]:
        mapped = self._mapped and not volume.remote
        try:
            return self._opened.part(volume.folder, entry, mapped=mapped).between(start, end, interval)
        except (OSError, ValueError, pa.ArrowException) as error:
            damage = Damaged(f"{volume.folder / entry.path} can't be read: {error}")
            raise self._spoilt(volume, entry, damage) from error
        except Damaged as error:
            raise self._spoilt(volume, entry, error) from error

    def _spoilt(self, volume: Volume, entry: Entry, error: Damaged) -> Spoilt:
        self._opened.close(volume.folder, entry.path)
        return Spoilt(str(error), entry, marks_of(volume.folder, entry))

    def _note_damage(self, volume: Volume, error: Damaged | Hung) -> None:
        """Pass by, from now on, what turned out to be damaged; nothing is known of a file that did not answer."""
        self.served.passed_by += 1
        if isinstance(error, Spoilt) and self.volume is volume:
            self._marks[error.entry.path] = error.entry, error.marks
            self.damaged[error.entry.path] = str(error)
        self.changed()

    async def _run(self, function: Callable[[], Any], *, inline: bool = False) -> Any:
        return function() if inline or self._inline else await self._threads.run(function)

    async def explain(self, dimension: Dimension, symbol: str, ts: datetime) -> str:
        """Where the rows of a moment come from, and why.

        Raises:
            Reject: the store refuses, or is down.
        """
        volume, query = self.volume, Query(dimension, (symbol,), start=ts, end=ts)
        if volume is None or self.why_not or self.hung:
            return f"the store: {self.hung or self.why_not}"
        since = self._since(volume, query)
        if since is None:
            return f"the store: {volume.folder.name} has no rows of {symbol} about then"
        [entry, *_] = volume.reaching_into(dimension, symbol, *window_of(query))
        place = f"{volume.folder.name}/{entry.path}"
        if entry.path in self.damaged:
            return f"the store: {self.damaged[entry.path]}"
        result: SinceResult = await self._calls.ask("store", ReadSince(query, since), _EXPLAIN_SECONDS)
        if result.anew is None:
            what = "of another database, undone by a restore, or made by a role that may only read"
            return f"the store: it does not know {volume.folder.name}, {what}"
        return f"the store: rows of {place} were written or dropped since" if result.anew else place

    def facts(self) -> Mapping[str, Any]:
        """For the roster: which export is read, what was taken from it, and what is not."""
        volume = self.volume
        reads = self.enabled and volume is not None and not self.why_not
        return {
            "export": volume.folder.name if volume is not None else None,
            "parts": sum(map(len, volume.parts.values())) if volume is not None and reads else 0,
            "why_not": self.hung or self.why_not if self.enabled else "export.reads is off",
            "damaged": dict(sorted(self.damaged.items())[:10]),
            **msgspec.to_builtins(self.served),
        }


def _is_plain(query: Query) -> bool:
    """Whether it asks for rows of some symbols as they stand, all of a span."""
    has_interval = query.interval is None or query.dimension.has_interval
    others = (query.limit, query.as_of, query.bucket)
    return bool(query.symbols) and has_interval and all(each is None for each in others)


def nobody() -> None:
    """Nobody looks."""


def _position(result: SinceResult) -> tuple[int, int | None]:
    return result.position, result.complete


def _standing(query: Query, anew: Iterable[Stretch]) -> list[Stretch]:
    """The window of each symbol without what was read anew."""
    window, found = window_of(query), list[Stretch]()
    read: dict[str, list[Stretch]] = {symbol: [] for symbol in query.symbols}
    for each in anew:
        read[each.symbol].append(each)
    for symbol, stretches in read.items():
        at = window[0]
        for each in stretches:
            if each.start_us > at:
                found.append(Stretch(symbol, at, each.start_us - 1))
            at = each.end_us + 1
        if at <= window[1]:
            found.append(Stretch(symbol, at, window[1]))
    return found


def _frame(query: Query, tables: list[pa.Table]) -> Frame:
    """The pieces as one frame, in canonical order."""
    dimension = query.dimension
    tables = [table for table in tables if table.num_rows]
    if len(tables) < 2:
        return Frame.of_canonical(dimension, tables[0]) if tables else Frame.empty(dimension)
    joined = pa.concat_tables(tables).combine_chunks()  # all at once: a seventh of the time of one by one
    whole = pa.Table.from_arrays([one_chunk(column) for column in joined.columns], schema=joined.schema)
    leave_disk()
    return Frame.of_canonical(dimension, whole if _in_order(query) else reorder(dimension, whole))


def _in_order(query: Query) -> bool:
    """Whether rows of a symbol lie in the order of time."""
    dimension = query.dimension
    return dimension.key[1] == "ts" or (query.interval is not None and dimension is Dimension.INTRADAY_BARS)
