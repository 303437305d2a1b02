"""One run of a plan: read ahead in a worker thread, judge, quarantine, commit chunk by chunk, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pyarrow as pa

from backbone.domain import Frame
from backbone.domain.clock import utc_now
from backbone.domain.identifiers import again, ingest_id, rest
from backbone.ingest.accounting import account_of
from backbone.ingest.ageing import Ageing
from backbone.ingest.aside import Aside
from backbone.ingest.contract import RunContract
from backbone.ingest.counting import Counting
from backbone.ingest.following import going_on
from backbone.ingest.foreign import looked_at
from backbone.ingest.parts import Part, parts
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.ingest.reasons import Reasons
from backbone.ingest.remedies import remedies_for
from backbone.ingest.salvage import MENDED
from backbone.ingest.sharing import Sharing, write_beside_live
from backbone.ingest.silence import silent
from backbone.ingest.vintages import LATE, news
from backbone.ingest.writer import Writer
from backbone.quality.instruments import Instruments
from backbone.quality.merging import merge, with_kept_aside, with_mended
from backbone.quality.repair import Remedies
from backbone.quality.report import QualityReport, assess
from backbone.quality.screening import Rejected
from backbone.settings import Settings
from backbone.sources.errors import SourceError
from backbone.sources.port import Account, BadRow, Progress, ProviderSource, Source, SourceChunk
from backbone.sources.registry import built_in, open_source
from backbone.store.records import Chunk, QuarantineRow, Query, WriteResult

__all__ = ["Piece", "Run", "Writer"]

_LEAVES_MUCH = 50_000  # rows, from which on giving memory back is worth its 10 ms


class Piece(msgspec.Struct, frozen=True):
    """A part of what the source gives, judged and ready to commit.

    Attributes:
        part: its rows.
        ingest_id, nth: see `backbone.store.records.Chunk`.
        quality: the judgement; rows that never came into a frame are not in it.
    """

    part: Part
    ingest_id: str
    nth: bytes
    quality: QualityReport | None


def _years(kind: str, settings: Settings) -> dict[str, int]:
    """The years that a file may speak of, for sources of ours; others know theirs."""
    return {"earliest": settings.sources.earliest, "latest": settings.sources.latest} if built_in(kind) else {}


class Run:
    """Carries out one plan.

    Args:
        plan: checked.
        run_id: the same again continues a run that was cut off.
        writer: the store.
        settings: chunk size, calendars, thresholds.
        report: called with (rows read, rows committed, of these already known, progress of the file) after every chunk.
        clock: monotonic seconds.
        attempt: 1, or more after a crash.
        now: the wall clock: where a period begins.
        sharing: whether live rows come; None: nobody records.

    Attributes:
        source_name: how rows, journal and epochs name the source: its kind and, for a file, its full path, for two
            files of one name in different folders are two sources.
    """

    def __init__(
        self,
        plan: IngestPlan,
        run_id: str,
        writer: Writer,
        settings: Settings,
        report: Callable[[int, int, int, Progress], None],
        clock: Callable[[], float],
        attempt: int = 1,
        now: Callable[[], datetime] = utc_now,
        sharing: Sharing | None = None,
    ) -> None:
        self._now = now
        self._plan = plan = plan.at(now())
        self._run_id = run_id
        self._writer = writer
        self.settings = settings
        self._report = report
        self._clock = clock
        self._attempt = attempt
        self._sharing = Sharing() if sharing is None else sharing
        self._dimension = plan.dimension
        self._instruments = Instruments(settings)
        self._source = self._open(plan, settings)
        self._aside = Aside(inline=settings.store.inline, interrupt=getattr(self._source, "stop", None))
        self.source_name = _identity(self._source.name, plan.path)
        self._contract = RunContract(self._source, self.source_name, self._dimension, settings)
        self._ageing = Ageing(self._source, plan, now(), settings, self._instruments)
        self._progress = Progress(0, 0, 0)
        self._results: list[WriteResult] = []
        self._judged: list[QualityReport] = []
        self._reasons = Reasons(plan)
        self._mended = Counter[str]()
        self._came: set[str] = set()
        self._rows_read = self._quarantined = self._unjudged = self._filtered = self._duplicates = self._known = 0

    def _open(self, plan: IngestPlan, settings: Settings) -> Source:
        return open_source(
            plan.source,
            self._offered(plan, settings),
            path=plan.path,
            dimension=self._dimension,
            interval=plan.interval,
            zone=plan.zone,
            columns=plan.columns or None,
            **plan.form,
        )

    def _offered(self, plan: IngestPlan, settings: Settings) -> dict[str, Any]:
        """What a source may take or leave."""
        return {
            "symbol": plan.symbols[0] if len(plan.symbols) == 1 else None,
            "symbols": plan.symbols,
            "start": plan.start,
            "end": plan.end,
            "settings": settings,
            "now": self._now,
            "zone": plan.zone or settings.ingest.csv_zone,
            "chunk_rows": plan.chunk_rows or settings.ingest.chunk_rows,
            **_years(plan.source, settings),
        }

    async def execute(self) -> IngestRun:
        """Read, judge and commit everything; the next piece is read while this one is written.

        Raises:
            SourceError: the input can't be used. Reject: the store refuses or is unavailable.
        """
        try:
            run = await self._executed()
        finally:
            self._aside.end()
        if self._rows_read >= _LEAVES_MUCH:
            await self._aside.give_back()
        return run

    async def _executed(self) -> IngestRun:
        began = self._clock()
        epoch = await self._writer.claim(self.source_name, self._dimension)
        await going_on(self._source, self._plan, self._writer, self._now())
        if self._contract.binds:
            self._contract.after(await self._writer.journal_of(self.source_name, self._dimension))
        pieces = self._pieces(
            await remedies_for(self._plan, self._instruments, lambda query: self._writer.read(query), self._aside.run)
        )
        try:
            async with anyio.create_task_group() as group:
                send, receive = anyio.create_memory_object_stream[Piece](1)
                group.start_soon(self._read, pieces, send, name="read-ahead")
                async with receive:
                    async for piece in receive:
                        await self._commit(piece, epoch)
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise
        await self._aside.run(self._note_silence)
        return self._summary(self._clock() - began)

    def _note_silence(self) -> None:
        """A provider that gave nothing of a symbol may have refused it."""
        account = getattr(self._source, "account", None)
        if isinstance(self._source, ProviderSource) and isinstance(account, Account):
            account.note(*silent(self._plan, self._came, self._now(), self._instruments.judging_calendar_of))

    async def _read(self, pieces: Generator[Piece, None, None], send: Any) -> None:
        try:
            async with send:
                while (piece := await self._aside.run(lambda: next(pieces, None))) is not None:
                    if (asked := piece.part.asked) is not None:
                        asked.give([await self._stored(query) for query in asked.queries])
                    await send.send(piece)
        except anyio.BrokenResourceError:  # committing has failed: that error is the one to tell
            return
        finally:
            await self._aside.run(pieces.close)  # a cancelled run would leave its file open until it is collected

    async def _stored(self, query: Query) -> Frame:
        return await self._writer.read(query)

    def _pieces(self, remedies: Remedies | None) -> Generator[Piece, None, None]:
        """Chunks of the source, filtered, mended, screened and judged; runs in a worker thread."""
        before: Frame | None = None
        given = Counter[str]()
        rules, saw = self._instruments.screening, self._reasons.saw
        with closing(Counting()) as counting:
            for part in parts(self._chunks(), self._plan, rules, remedies, saw):
                found = part.found
                judged = self._judge(found.wanted, before) if found.wanted.num_rows else None
                before = found.wanted if found.wanted.num_rows else before
                nth = self._counted(counting, found.frame)
                identity = ingest_id(self.source_name, found.frame, nth)
                given[identity] += 1
                own = identity if given[identity] == 1 else again(identity, given[identity])
                yield Piece(part, own, nth, judged)

    def _chunks(self) -> Iterator[SourceChunk]:
        """What the source gives. What fails below it (disk, library) or in a plugin is its error, no bug of ours.

        Raises:
            SourceError: says what failed.
        """
        ours = built_in(self._plan.source)
        outside: tuple[type[Exception], ...] = (OSError, MemoryError, pa.ArrowException) if ours else (Exception,)
        try:
            given = self._source.chunks(progress=self._note)
            yield from self._contract.hold(given if ours else looked_at(given, self._dimension))
        except SourceError:
            raise
        except outside as error:
            text = f"{self.source_name}: {type(error).__name__}: {error}"
            raise SourceError(
                f"{text}; nothing more was read, mend the source and start the same plan again"
            ) from error

    def _counted(self, counting: Counting, frame: Frame) -> bytes:
        try:
            return counting.nth(frame)
        except OSError as error:
            text = f"{self.source_name}: no room to remember what was read: {error}"
            raise SourceError(
                f"{text}; make room in the folder for temporary files, or name another with TMPDIR"
            ) from error

    def _judge(self, frame: Frame, before: Frame | None) -> QualityReport:
        """Judge a part; bars missing since the part before count, where both are of one and the same symbol."""
        start = None
        if before is not None and len(frame.symbols) == 1 and frame.symbols == before.symbols:
            start = None if before.end is None else before.end + timedelta(microseconds=1)
            start = start if start is not None and frame.start is not None and start <= frame.start else None
        quality = self.settings.quality
        return assess(
            frame,
            calendar=self._instruments.judging_calendar_of,
            rules=self._instruments.screening,
            tick_of=self._instruments.tick_of,
            interval=self._plan.interval,
            start=start,
            warn_score=quality.warn_score,
            fail_score=quality.fail_score,
        )

    def _note(self, progress: Progress) -> None:
        self._progress = progress

    async def _commit(self, piece: Piece, epoch: int) -> None:
        part, found = piece.part, piece.part.found
        self._came.update(found.wanted.symbols, *(row.location.split() for row in part.unread))
        if part.unread or found.bad:
            await self._keep_aside([*part.unread, *found.bad])
        frame = found.frame if part.known_at is None else await self._news(found.frame, part.known_at)
        if frame.num_rows:
            whole = frame.num_rows == found.frame.num_rows
            chunk = Chunk(
                ingest_id=piece.ingest_id if whole else rest(piece.ingest_id, frame),
                run_id=self._run_id,
                source=self.source_name,
                frame=frame,
                epoch=epoch,
                metadata=self._facts(part),
                nth=piece.nth,
                known_at=part.known_at,
                repairs=part.repairs,
            )
            salvaged = await write_beside_live(self._writer.write, chunk, self._sharing, self._clock)
            self._results.append(msgspec.structs.replace(salvaged.result, outcomes=b""))  # a byte for each row adds up
            self._ageing.saw(found.frame)
            if salvaged.refused:
                await self._keep_aside(salvaged.refused)
                self._unjudged += len(salvaged.refused)
        self._unjudged += len(part.unread)
        self._mended.update(rule for repair in part.repairs for rule in repair.rules.split(","))
        self._filtered += sum(found.filtered.values())
        self._duplicates += found.repeated + part.untold
        self._reasons.left_out(found.filtered, found.repeated, part.untold)
        self._rows_read = part.rows_read
        if piece.quality is not None:
            self._judged.append(piece.quality)
        committed, known = sum(each.rows for each in self._results), sum(each.unchanged for each in self._results)
        self._report(self._rows_read, committed + self._known, known + self._known, self._progress)

    async def _news(self, frame: Frame, known_at: datetime) -> Frame:
        """The rows of a vintage that are not stored; those that are count as unchanged."""
        if not frame.num_rows:
            return frame
        found = await news(frame, known_at, self._writer.read)
        self._known += found.known
        self._filtered += found.late
        self._reasons.left_out({LATE: found.late} if found.late else {}, 0, 0)
        return found.frame

    def _facts(self, part: Part) -> dict[str, str]:
        mended = {MENDED: str(len(part.repairs))} if part.repairs else {}
        return {"attempt": str(self._attempt), **mended, **self._contract.remembered()}

    async def _keep_aside(self, rows: Sequence[BadRow | Rejected]) -> None:
        await self._writer.quarantine([self._bad(each) for each in rows])
        self._quarantined += len(rows)
        self._reasons.bad(each.reason for each in rows)

    def _bad(self, row: BadRow | Rejected) -> QuarantineRow:
        dimension = self._dimension.value
        texts = (self.source_name, row.location, row.reason, row.excerpt, dimension, self._run_id)
        return QuarantineRow(*texts, utc_now(), row.payload)

    def _summary(self, duration: float) -> IngestRun:
        results = self._results
        positions: dict[str, int] = {}
        for result in results:
            for symbol in result.symbols:
                positions[symbol] = max(result.position, positions.get(symbol, 0))
        return IngestRun(
            run_id=self._run_id,
            dimension=self._dimension,
            source=self.source_name,
            rows_read=self._rows_read,
            quarantined=self._quarantined,
            filtered=self._filtered,
            duplicates=self._duplicates,
            inserted=sum(each.inserted for each in results),
            changed=sum(each.changed for each in results),
            unchanged=sum(each.unchanged for each in results) + self._known,
            chunks=len(results),
            position=max((each.position for each in results), default=0),
            positions={symbol: position for symbol, position in positions.items() if position},
            symbols=tuple(sorted(positions)),
            quality=self._quality(),
            duration_s=duration,
            attempts=self._attempt,
            reasons=self._reasons.listed(),
            left_out=self._reasons.counted(),
            mended=dict(self._mended),
            **account_of(self._source),
            span_start=min((each.start for each in results if each.start is not None), default=None),
            span_end=max((each.end for each in results if each.end is not None), default=None),
            settings_hash=self.settings.hash,
        )

    def _quality(self) -> QualityReport | None:
        if not self._judged and not self._unjudged:
            return None
        chosen = self.settings.quality
        judged = merge(self._judged or [self._judge(Frame.empty(self._dimension), None)])
        return with_kept_aside(
            self._ageing.judged(with_mended(judged, self._mended), self._now()),
            self._unjudged,
            self._rows_read,
            warn_score=chosen.warn_score,
            fail_score=chosen.fail_score,
        )


def _identity(kind: str, path: str | Path | None) -> str:
    """A path that leads through links or upwards is that of the file itself."""
    return kind if path is None else f"{kind}:{Path(path).resolve()}"
