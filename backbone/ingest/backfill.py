"""A backfill: the gaps of what is stored, piece by piece asked of a source, until all were asked for.

Each piece is a run of its own, journalled as such, whose chunks are compared with what is stored, so that the same
piece again does no harm. Before a piece is begun, the ledger is told that it knows nothing of the stretch: content that
it takes for stored may be just what is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from msgspec.structs import replace

from backbone.domain.clock import to_us
from backbone.ingest.backfill_messages import BackfillReport, BackfillRequest, PieceFailed
from backbone.ingest.backfill_notes import Notes, Piece
from backbone.ingest.backfill_survey import Survey, Surveyed
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.settings import Settings
from backbone.sources.errors import SourceError
from backbone.store.messages import VoidLedger

__all__ = ["Backfill"]

Tell = Callable[[dict[str, Any]], None]


class Backfill:
    """Carries out one request.

    Args:
        request: what is to be filled from where.
        ask: asks the store.
        ingest: carries out a plan.
        settings: calendars, how much is asked for at once, after how many failures it gives up.
        now: the wall clock.
        clock: monotonic seconds.
        tell: called with the fields of a `BackfillProgress` after each piece.
    """

    def __init__(
        self,
        request: BackfillRequest,
        ask: Callable[[Any], Awaitable[Any]],
        ingest: Callable[[IngestPlan], Awaitable[IngestRun]],
        settings: Settings,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        tell: Tell = lambda _: None,
    ) -> None:
        self.settings = settings
        self._request = request
        self._ask = ask
        self._ingest = ingest
        self._now = now
        self._clock = clock
        self._tell = tell
        self._notes = Notes(request.of, ask)
        self._survey = Survey(request, ask, settings)
        self._runs: list[IngestRun] = []
        self._failed: list[PieceFailed] = []

    async def carry_out(self) -> BackfillReport:
        """Find the gaps, and unless it is a dry run fill them; what an earlier backfill left half done comes first.

        Raises:
            ValueError: a symbol is not stored, and nothing says since when it is to be there.
            StoreUnavailable: the store does not answer; the same request again goes on.
        """
        began = self._clock()
        now = self._now()
        surveyed = await self._survey.look(now)
        unfinished = [each for each in await self._notes.unfinished() if self._is_wanted(each)]
        Random(to_us(now)).shuffle(unfinished)  # noqa: S311  else the same ones would be tried each time
        pieces = [*unfinished, *(each for each in surveyed.pieces if not _within(each, unfinished))]
        if self._request.dry_run:
            return self._report(surveyed, None, pieces, len(unfinished), 0, began)
        tried = await self._fill(pieces, len(unfinished), began)
        after = await self._survey.look(self._now()) if tried else None
        return self._report(surveyed, after, pieces, len(unfinished), tried, began)

    def _is_wanted(self, piece: Piece) -> bool:
        request = self._request
        names = {name.casefold() for name in request.symbols}
        if (names and piece.symbol.casefold() not in names) or request.interval not in {None, piece.interval}:
            return False
        before = request.end is not None and piece.start > request.end
        return not before and (request.start is None or piece.end >= request.start)

    async def _fill(self, pieces: Sequence[Piece], unfinished: int, began: float) -> int:
        """Ask for the pieces, one after the other; returns how many were tried.

        When too many fail in a row, the others are left: first of those that an earlier backfill left, of which some
        may fail for ever, then of those that are new.
        """
        in_a_row, tried = 0, list[Piece]()
        for place, piece in enumerate(pieces):
            in_a_row = 0 if place == unfinished else in_a_row
            if in_a_row >= self.settings.backfill.failures:
                continue
            tried.append(piece)
            await self._notes.begin(piece)
            try:
                await self._fill_one(piece)
                in_a_row = 0
            except SourceError as error:  # it stays noted: a part of it may be in
                symbol, interval, start, end, _ = piece
                failed = PieceFailed(symbol=symbol, interval=interval, start=start, end=end, error=str(error))
                self._failed.append(failed)
                in_a_row += 1
            else:
                await self._notes.end(piece)
            self._tell(self._progress(pieces, tried, began))
        return len(tried)

    async def _fill_one(self, piece: Piece) -> None:
        request = self._request
        await self._ask(VoidLedger(request.of, piece.symbol, piece.interval, piece.start, piece.end))
        plan = IngestPlan(
            dimensions=[request.of],
            symbols=[piece.symbol],
            interval=piece.interval if request.of.has_interval else None,
            source=request.source,
            path=request.path,
            start=piece.start,
            end=piece.end,
        )
        self._runs.append(await self._ingest(plan))

    def _progress(self, pieces: Sequence[Piece], tried: Sequence[Piece], began: float) -> dict[str, Any]:
        elapsed = self._clock() - began
        rows = sum(run.taken for run in self._runs)
        return {
            "pieces_done": len(tried),
            "pieces": len(pieces),
            "missing_done": sum(each.missing for each in tried),
            "missing": sum(each.missing for each in pieces),
            "rows": rows,
            "rate": rows / elapsed if elapsed else None,
            "eta_s": elapsed / len(tried) * (len(pieces) - len(tried)) if elapsed else None,
            "piece": tried[-1].name,
        }

    def _report(
        self,
        before: Surveyed,
        after: Surveyed | None,
        pieces: Sequence[Piece],
        resumed: int,
        tried: int,
        began: float,
    ) -> BackfillReport:
        left = {} if after is None else {(each.symbol, each.interval): each.missing for each in after.series}
        runs = self._runs
        return BackfillReport(
            dimension=self._request.of,
            source=self._request.source,
            dry_run=self._request.dry_run,
            series=tuple(replace(each, left=left.get((each.symbol, each.interval))) for each in before.series),
            pieces=len(pieces),
            done=len(runs),
            resumed=resumed,
            failed=tuple(self._failed),
            given_up=0 if self._request.dry_run else len(pieces) - tried,
            inserted=sum(run.inserted for run in runs),
            changed=sum(run.changed for run in runs),
            unchanged=sum(run.unchanged for run in runs),
            quarantined=sum(run.quarantined for run in runs),
            stretches=tuple(f"{each.name}: {each.missing:,}" for each in pieces) if self._request.dry_run else (),
            position=max((run.position for run in runs), default=0),
            duration_s=self._clock() - began,
            settings_hash=self.settings.hash,
            span_start=min((each.start for each in pieces), default=None),
            span_end=max((each.end for each in pieces), default=None),
        )


def _within(piece: Piece, others: Sequence[Piece]) -> bool:
    """Whether one of the others asks for all of it anyway."""
    same = (each for each in others if each[:2] == piece[:2])
    return any(each.start <= piece.start and piece.end <= each.end for each in same)
