"""What a source gives, part by part as it is to be committed: sifted at once, or mended when all of it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import NamedTuple

from backbone.domain import Frame
from backbone.ingest.choosing import chosen
from backbone.ingest.mending import Asked, Mending
from backbone.ingest.plan import IngestPlan
from backbone.ingest.sifting import Sifted, screened, sifted
from backbone.quality.repair import Remedies
from backbone.quality.screening import Rejected, Screening
from backbone.sources.errors import SourceError
from backbone.sources.port import BadRow, SourceChunk
from backbone.store.records import RepairRow

__all__ = ["Part", "parts"]


class Part(NamedTuple):
    """Rows to be committed together.

    Attributes:
        found: the good rows, sifted.
        unread: the bad rows that are in no frame: they could not be read, or a rule wants them kept aside.
        rows_read: rows from the start of the source.
        untold: rows of this part that the source counts, and gives neither as good nor as bad.
        known_at: see `backbone.sources.port.SourceChunk`.
        repairs: of the good rows that were mended.
        asked: what has to be looked up in the store before the next part; such a part has no rows.
    """

    found: Sifted
    unread: tuple[BadRow | Rejected, ...]
    rows_read: int
    untold: int
    known_at: datetime | None = None
    repairs: tuple[RepairRow, ...] = ()
    asked: Asked | None = None


def parts(
    chunks: Iterator[SourceChunk],
    plan: IngestPlan,
    rules: Screening,
    remedies: Remedies | None,
    saw: Callable[[Frame, Frame], None],
) -> Iterator[Part]:
    """Divide what a source gives.

    Where rows may be mended, parts without rows come first, as the source is read and its rows are looked at.

    Args:
        chunks: of the source.
        plan: which rows are wanted.
        rules: which rows can be true.
        remedies: how rows are mended; None: they are not.
        saw: told of the rows of each chunk, and which of them are wanted.

    Raises:
        SourceError: there is no room for the rows while they wait to be mended.
    """
    if remedies is None:
        yield from _at_once(chunks, plan, rules, saw)
        return
    try:
        with closing(Mending(plan.dimension, remedies, rules)) as mending:
            yield from _when_known(chunks, plan, rules, mending, saw)
    except OSError as error:
        text = f"no room to keep rows until they are mended: {error}"
        raise SourceError(
            f"{text}; make room in the folder for temporary files, name another with TMPDIR, or set quality.repair off"
        ) from error


def _at_once(
    chunks: Iterator[SourceChunk], plan: IngestPlan, rules: Screening, saw: Callable[[Frame, Frame], None]
) -> Iterator[Part]:
    read = 0
    for chunk in chunks:
        found = sifted(chunk, plan, rules)
        saw(chunk.frame, found.wanted)
        told = read + _told(chunk)
        read = max(told, chunk.rows_read)
        yield Part(found, chunk.quarantined, read, read - told, chunk.known_at)


def _when_known(
    chunks: Iterator[SourceChunk],
    plan: IngestPlan,
    rules: Screening,
    mending: Mending,
    saw: Callable[[Frame, Frame], None],
) -> Iterator[Part]:
    read, empty = 0, Frame.empty(plan.dimension)
    for chunk in chunks:
        wanted, filtered = chosen(chunk.frame if chunk.given is None else chunk.given, plan)
        mending.keep(wanted, stacked=chunk.given is not None)
        saw(chunk.frame, wanted)
        told = read + _told(chunk)
        read = max(told, chunk.rows_read)
        yield Part(Sifted(empty, empty, (), filtered, 0), chunk.quarantined, read, read - told)
    if (asked := mending.asked()) is not None:
        yield Part(Sifted(empty, empty, (), {}, 0), (), read, 0, asked=asked)
    for _ in mending.look():
        yield Part(Sifted(empty, empty, (), {}, 0), (), read, 0)
    for mended in mending.parts():
        found = screened(mended.wanted, {}, rules, stacked=mended.stacked)
        yield Part(found, mended.aside, read, 0, repairs=mended.repairs)


def _told(chunk: SourceChunk) -> int:
    return (chunk.frame if chunk.given is None else chunk.given).num_rows + len(chunk.quarantined)
