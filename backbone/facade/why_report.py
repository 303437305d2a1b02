"""How a row came to be as it is, as people look at it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table, plain

__all__ = ["CacheSeen", "WhyAside", "WhyReport", "WhyRow", "WhyVersion"]


class WhyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a row: what it says, where it came from, and by which change it was published.

    Attributes:
        values: by column; moments as ISO-8601.
        source: from where it came.
        revision: rises with every chunk that commits.
        ingested_at: when it was stored.
        replaced_at: when another version took its place; None: it stands.
        ingest_id: the chunk that it came in.
        run_id: the run of that chunk; None: the journal does not reach back so far.
        chunk_rows: rows of the chunk; None likewise.
        event_id: of the change that published it; None: the outbox was pruned.
        position: of that change.
        published: whether every sink has it; None: the outbox was pruned, which is done with what all have.
    """

    values: Mapping[str, str | float | int | None]
    source: str
    revision: int
    ingested_at: datetime
    replaced_at: datetime | None
    ingest_id: str
    run_id: str | None = None
    chunk_rows: int | None = None
    event_id: str | None = None
    position: int | None = None
    published: bool | None = None


class CacheSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader gets who asks for just this moment.

    Attributes:
        position: the outbox position that the answer includes.
        hit: the cache had it.
        rows: how many rows it has.
        current: it includes all that was published of the symbol.
        stale: the store was down.
    """

    position: int
    hit: bool
    rows: int
    current: bool
    stale: bool


class WhyAside(msgspec.Struct, frozen=True, kw_only=True):
    """A bad row near by, that was kept aside."""

    id: str
    at: datetime
    location: str
    reason: str
    excerpt: str
    run_id: str


class WhyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one dimension.

    Attributes:
        dimension: which.
        symbol: as it is stored.
        ts: the moment of the rows: the one asked for, or the beginning of the bar that it lies in.
        versions: those that stand, then former ones, the newest first.
        position: newest outbox position of the symbol; 0: none was ever published.
        relayed: outbox position up to which every sink has all.
        cache: what a reader gets; None: the cache did not answer.
        repairs: what was mended in the rows, each in a line.
        aside: bad rows near by.
        before: the newest row before the moment, where there is none at it.
        read_from: the file of an export out of which a reader of a span gets the rows, or why the store is read; "":
            export.reads is off.
    """

    dimension: Dimension
    symbol: str
    ts: datetime
    versions: tuple[WhyVersion, ...]
    position: int
    relayed: int
    cache: CacheSeen | None
    repairs: tuple[str, ...] = ()
    aside: tuple[WhyAside, ...] = ()
    before: datetime | None = None
    read_from: str = ""


class WhyReport(Report, frozen=True, kw_only=True):
    """What is known of a symbol at a moment.

    Attributes:
        symbol: as it was asked for.
        ts: the moment.
        searched: the dimensions that were looked at.
        found: those that have a row there, or something to say about it.
    """

    title: ClassVar[str] = "Why"

    symbol: str
    ts: datetime
    searched: tuple[Dimension, ...]
    found: tuple[WhyRow, ...]

    def to_markdown(self) -> str:
        """A section for each dimension: its versions, what was published, what readers get, what is near by."""
        text = f"{self.heading()}\n{cell(self.symbol)} at {cell(self.ts)}\n"
        if not self.found:
            return f"{text}\nNothing is stored of it in {cell(self.searched)}.\n"
        return text + "".join(_section(each) for each in self.found)


def _section(row: WhyRow) -> str:
    text = f"\n## {cell(row.dimension)} {cell(row.symbol)} {cell(row.ts)}\n\n"
    if not row.versions:
        text += f"No row is stored at this moment; the newest before it is of {cell(row.before)}.\n\n"
    names = ("source", "revision", "ingested_at", "replaced_at", "run_id", "ingest_id", "event_id", "position")
    versions = [(_values(each), *(getattr(each, name) for name in names), each.published) for each in row.versions]
    if versions:
        text += f"{markdown_table(('values', *names, 'published'), versions)}\n"
    text += f"- newest position of the symbol: {cell(row.position)}; relayed up to {cell(row.relayed)}\n"
    text += f"- cache: {cell(None if row.cache is None else msgspec.to_builtins(row.cache))}\n"
    text += f"- spans are read from {cell(row.read_from)}\n" * bool(row.read_from)
    text += "".join(f"- repaired: {cell(each)}\n" for each in row.repairs)
    for bad in row.aside:
        text += f"- kept aside: {cell(bad.location)}: {cell(bad.reason)} ({cell(bad.id)})\n"
    return text


def _values(version: WhyVersion) -> str:
    return ", ".join(f"{name}: {plain(value)}" for name, value in version.values.items() if value is not None)
