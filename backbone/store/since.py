"""Rows that somebody holds as of an earlier moment, such as an export: what stands, and what is to be read anew.

The ledger has an entry over each range that was written since. Rows in between are as they were, to the last bit, and
need not be read again.

For example an export of Monday to Friday, and one trade of Wednesday that was corrected on Saturday: the ledger has one
entry since then, within Wednesday. Who holds the five days reads Wednesday anew, and the other four stand.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from backbone.domain.clock import MAX_US, MIN_US, from_us, to_us
from backbone.domain.frame import Frame
from backbone.store.records import Query

__all__ = ["CUTS", "DAY_US", "NOTES", "Changes", "Since", "SinceResult", "Stretch", "stretches_of"]

NOTES = "export"
"""Beside the sources, the epochs keep under this name from which entry of the ledger on all is new to an export."""

CUTS = "drop cut"
"""And under this one up to which moment rows of a dimension were ever dropped."""

DAY_US = 86_400_000_000
_MOST_QUERIES = 32

Bounds = tuple[int, int]


class Stretch(NamedTuple):
    """Rows of one symbol (or calendar) from one moment up to another, both inclusive, in microseconds since 1970."""

    symbol: str
    start_us: int
    end_us: int


class Since(msgspec.Struct, frozen=True):
    """What is held of some symbols, as of which moment.

    Attributes:
        token: which export, to the byte of its manifest; see `Store.note_export`.
        drops: how often rows had been dropped by then.
        bounds: what was asked for at that moment: nothing is known of rows before and after it.
        parts: by symbol, the spans of what is held in pieces, ascending; one that has changed is read anew as a whole.
        lacking: what can't be used, whatever the ledger says.
    """

    token: str
    drops: int
    bounds: Bounds
    parts: Mapping[str, Sequence[Bounds]]
    lacking: tuple[Stretch, ...] = ()


class Changes(msgspec.Struct, frozen=True):
    """What the store knows of a moment.

    Attributes:
        known: it knows of the export; one of another database, or of what a restore undid, it does not know.
        cut_us: rows of the dimension from before this moment may have been dropped since.
        written: over what was written since.
    """

    known: bool
    cut_us: int = MIN_US
    written: tuple[Stretch, ...] = ()


class SinceResult(msgspec.Struct, frozen=True):
    """What stands of that is held, and the rest, all of one moment.

    Attributes:
        anew: the stretches that were read anew, ascending; None: nothing stands, and all was read.
        frames: their rows.
        position: as of `ReadResult`.
        complete: likewise.
    """

    anew: tuple[Stretch, ...] | None
    frames: tuple[Frame, ...]
    position: int
    complete: int | None = None


def stretches_of(query: Query, since: Since, changes: Changes) -> tuple[Stretch, ...]:
    """What of a query is to be read from the store: ascending, and apart from each other."""
    window = window_of(query)
    found = []
    for symbol in sorted(query.symbols):
        parts = since.parts.get(symbol)
        if parts is None:
            found.append(Stretch(symbol, *window))
            continue
        before = (MIN_US, max(since.bounds[0], changes.cut_us) - 1)
        outside = [before, (since.bounds[1] + 1, MAX_US)]
        changed = [(each.start_us, each.end_us) for each in (*changes.written, *since.lacking) if each.symbol == symbol]
        spans = [_whole_parts(span, parts) for span in (*outside, *changed) if span[0] <= span[1]]
        found += [Stretch(symbol, *span) for span in _within(window, _joined(spans))]
    return tuple(found)


def window_of(query: Query) -> Bounds:
    """Its bounds, both inclusive."""
    start = MIN_US if query.start is None else to_us(query.start)
    return start, MAX_US if query.end is None else to_us(query.end)


def queries_of(query: Query, stretches: Iterable[Stretch]) -> list[Query] | None:
    """The queries that read the stretches; None: they are so many that one for all is cheaper."""
    symbols: dict[Bounds, list[str]] = {}
    for symbol, *span in stretches:
        symbols.setdefault((span[0], span[1]), []).append(symbol)
    if len(symbols) > _MOST_QUERIES:
        return None
    return [
        msgspec.structs.replace(query, symbols=tuple(of), start=from_us(start), end=from_us(end))
        for (start, end), of in symbols.items()
    ]


def _whole_parts(span: Bounds, parts: Sequence[Bounds]) -> Bounds:
    """The span, out to the edges of the parts that it reaches into."""
    first = bisect_left(parts, span[0], key=_end_of)
    last = bisect_right(parts, span[1], key=_start_of) - 1
    if first > last:
        return span
    return min(span[0], parts[first][0]), max(span[1], parts[last][1])


def _start_of(part: Bounds) -> int:
    return part[0]


def _end_of(part: Bounds) -> int:
    return part[1]


def _joined(spans: Iterable[Bounds]) -> list[Bounds]:
    """Ascending and apart."""
    joined: list[Bounds] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _within(window: Bounds, spans: Iterable[Bounds]) -> list[Bounds]:
    clipped = [(max(start, window[0]), min(end, window[1])) for start, end in spans]
    return [span for span in clipped if span[0] <= span[1]]
