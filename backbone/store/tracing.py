"""What a store knows of how a row came to be as it is: its versions, the chunks that wrote them, what was published."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from backbone.domain.dimension import Dimension
from backbone.store.records import JournalRow, QuarantineRow

__all__ = ["MOST_BAD", "MOST_VERSIONS", "Published", "Trace", "Version", "dates_of", "version_of"]

MOST_VERSIONS = 200
"""Versions that are told of one moment; an order book has many rows in each."""

MOST_BAD = 20
"""Bad rows that are shown beside a row."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a row.

    Attributes:
        values: by column, the key among them.
        source: from where it came.
        ingest_id: the chunk that it came in.
        revision: rises with every chunk that commits.
        ingested_at: when it was stored.
        replaced_at: when another version took its place; None: it stands.
    """

    values: Mapping[str, Any]
    source: str
    ingest_id: str
    revision: int
    ingested_at: datetime
    replaced_at: datetime | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An outbox row that holds versions of the row, as long as it was not pruned."""

    position: int
    event_id: str
    ingest_id: str
    revision: int
    rows: int
    created_at: datetime


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """All that the store knows of the rows of a symbol at a moment.

    Attributes:
        versions: those that stand, then former ones, the newest first; at most `MOST_VERSIONS`.
        journal: the chunks that wrote them, as far as the journal reaches back.
        published: the changes by which they were published, as far as they were not pruned.
        position: newest outbox position of the symbol; 0: none.
        aside: bad rows that name the day, and the symbol or a run that wrote one of the versions.
    """

    versions: tuple[Version, ...]
    journal: tuple[JournalRow, ...]
    published: tuple[Published, ...]
    position: int
    aside: tuple[QuarantineRow, ...]


def version_of(dimension: Dimension, columns: Sequence[Any], moment: Callable[[Any], Any]) -> Version:
    """A version from its columns: those of the dimension, the four of its origin, then when it was replaced."""
    names = dimension.columns
    values = dict(zip(names, columns[: len(names)], strict=True))
    values["ts"] = moment(values["ts"])
    source, ingest_id, revision, ingested_at, replaced_at = columns[len(names) :]
    return Version(
        values=values,
        source=source,
        ingest_id=ingest_id,
        revision=revision,
        ingested_at=moment(ingested_at),
        replaced_at=moment(replaced_at),
    )


def dates_of(ts: datetime) -> str:
    """A regular expression for the day of a moment, as files write it."""
    return "|".join(re.escape(f"{ts:{each}}") for each in ("%Y-%m-%d", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y"))
