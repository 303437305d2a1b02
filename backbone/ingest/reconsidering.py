"""Bad rows that are judged again: by today's rules they go in, or stay with what is wrong with them today.

A row is forgotten only after it was committed, or kept with its new reason: whatever ends this in between, nothing is
lost, and the same again ends it. A row never takes the place of another version that was stored meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from backbone.domain.codec import decode
from backbone.domain.dimension import Dimension
from backbone.domain.errors import BackboneError
from backbone.domain.frame import Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.ingest.contract import LOOKED_THROUGH, columns_of
from backbone.ingest.salvage import REFUSED
from backbone.quality.contracts import held_by_contract
from backbone.quality.instruments import Instruments
from backbone.quality.screening import STRICT, screen
from backbone.settings import Settings
from backbone.store.errors import RowRefused, VersionStands
from backbone.store.messages import DeleteQuarantine, QuarantineRows, ReadJournal, WriteChunk
from backbone.store.records import Chunk, QuarantineRow, WriteResult

__all__ = ["SUPERSEDED", "Reconsidered", "Reconsidering"]

SUPERSEDED = "another version of this row is stored"


class Reconsidered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of bad rows.

    Attributes:
        taken: that went in, or were in already.
        stayed: that are bad today as well, or that another version stands in the place of.
        texts: of which only a text is kept, since they could not be read as rows: give their file again.
    """

    taken: int = 0
    stayed: int = 0
    texts: int = 0

    def __add__(self, other: Reconsidered) -> Reconsidered:
        return Reconsidered(
            taken=self.taken + other.taken, stayed=self.stayed + other.stayed, texts=self.texts + other.texts
        )


class Reconsidering:
    """Judges bad rows again, one after the other.

    Args:
        ask: asks the store.
        settings: today's rules.
        wrote: is told what each commit came to.
    """

    def __init__(
        self, ask: Callable[[Any], Awaitable[Any]], settings: Settings, wrote: Callable[[WriteResult], None]
    ) -> None:
        self._ask = ask
        self._rules = Instruments(settings).screening
        self._quality = settings.quality
        self._wrote = wrote
        self._columns: dict[tuple[str, Dimension], dict[str, str]] = {}

    async def again(self, rows: Sequence[QuarantineRow]) -> Reconsidered:
        """Judge these rows.

        Raises:
            StoreUnavailable: those that were not dealt with stay as they are.
        """
        done = Reconsidered()
        self._columns.clear()  # what runs have told since counts
        for row in rows:
            done += await self._one(row)
        return done

    async def _one(self, row: QuarantineRow) -> Reconsidered:
        frame = _frame_of(row)
        if frame is None:
            return Reconsidered(texts=1)
        if self._is_held(row, frame):
            return Reconsidered(stayed=1)
        good, bad = screen(frame, self._rules)
        reason = bad[0].reason if bad else await self._write(good, row)
        if reason:
            await self._stay(row, reason)
            return Reconsidered(stayed=1)
        await self._ask(DeleteQuarantine([row]))
        return Reconsidered(taken=1)

    def _is_held(self, row: QuarantineRow, frame: Frame) -> bool:
        """Whether a rule that is in force today holds it, which a row by itself can't show.

        By a contract: of the columns of its source. By a rule of repair, whatever is neither impossible nor refused by
        the store: of the rows beside it, so that only another run over its source can tell.
        """
        if held_by_contract(row.reason):
            return self._quality.contracts.of(frame.dimension) == "quarantine"
        if row.reason.startswith(REFUSED) or screen(frame, STRICT)[1]:
            return False
        repair = self._quality.repair
        return {repair.unit, repair.split, repair.dividend, repair.missing} != {"off"}

    async def _write(self, frame: Frame, row: QuarantineRow) -> str:
        """Commit it; why it may not go in, "": it is in. Whether its place is taken the store tells as it writes."""
        identity = ingest_id(row.source, frame)
        facts = {"quarantine": row.id, **await self._columns_of(row.source, frame.dimension)}
        chunk = Chunk(identity, new_run_id(), row.source, frame, metadata=facts, yields=True)
        try:
            result = await self._ask(WriteChunk(chunk))
        except VersionStands:
            return SUPERSEDED
        except RowRefused as error:
            return f"{REFUSED}: {error}"
        self._wrote(result)
        return ""

    async def _columns_of(self, source: str, dimension: Dimension) -> dict[str, str]:
        """What the journal remembers of a source: a row of ours beside it must not push it out."""
        key = (source, dimension)
        if key not in self._columns:
            self._columns[key] = columns_of(await self._ask(ReadJournal(LOOKED_THROUGH, dimension, source)))
        return self._columns[key]

    async def _stay(self, row: QuarantineRow, reason: str) -> None:
        now = msgspec.structs.replace(row, reason=reason)
        if now.id != row.id:
            await self._ask(QuarantineRows([now]))
            await self._ask(DeleteQuarantine([row]))


def _frame_of(row: QuarantineRow) -> Frame | None:
    """The row as it was read; None: it was not."""
    if not row.payload:
        return None
    try:
        frame = decode(row.payload)
    except (BackboneError, ValueError):
        return None
    return frame if frame.num_rows == 1 and frame.dimension is Dimension.parse(row.dimension) else None
