"""Rows that were mended before they went in, as stores keep them: what the source gave stays beside what was stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.text import storable

__all__ = ["COLUMNS", "RepairRow", "read_repair", "texts_of"]

COLUMNS: Final = ("symbol", "interval", "rules", "why", "original", "repaired")
"""Columns of a repair that are texts and differ from row to row."""


class RepairRow(msgspec.Struct, frozen=True, kw_only=True):
    """One mended row.

    Attributes:
        dimension, symbol, interval, ts: which row; the interval is "" where the dimension has none.
        rules: the rules that found it, with commas between them.
        why: what is wrong with what the source gave.
        original: what it gave, of the columns that were changed; None: nothing.
        repaired: what was made of it.
        source, run_id, ingest_id: who gave it, and the run and the chunk that it came with; the row is still as it was
            mended where the stored row is of this chunk. The store fills them in.
        at: when it was stored; None: it is not yet.
    """

    dimension: Dimension
    symbol: str
    interval: str
    ts: datetime
    rules: str
    why: str
    original: Mapping[str, float | None]
    repaired: Mapping[str, float | None]
    source: str = ""
    run_id: str = ""
    ingest_id: str = ""
    at: datetime | None = None


def texts_of(repairs: Sequence[RepairRow]) -> dict[str, list[str]]:
    """The text columns of repairs, values as JSON."""
    return {
        **{name: [storable(getattr(row, name)) for row in repairs] for name in ("symbol", "interval", "rules", "why")},
        **{
            name: [msgspec.json.encode(getattr(row, name)).decode() for row in repairs]
            for name in ("original", "repaired")
        },
    }


def read_repair(
    row: Sequence[str], dimension: Dimension, ts: datetime, at: datetime, origin: tuple[str, str, str]
) -> RepairRow:
    """A repair as it stands in a store.

    Args:
        row: its texts, in the order of `COLUMNS`.
        dimension: of the row.
        ts: of the row.
        at: when it was stored.
        origin: source, run and chunk.
    """
    symbol, interval, rules, why, original, repaired = row
    source, run_id, ingest_id = origin
    return RepairRow(
        dimension=dimension,
        symbol=symbol,
        interval=interval,
        ts=ts,
        rules=rules,
        why=why,
        original=msgspec.json.decode(original, type=dict[str, float | None]),
        repaired=msgspec.json.decode(repaired, type=dict[str, float | None]),
        source=source,
        run_id=run_id,
        ingest_id=ingest_id,
        at=at,
    )
