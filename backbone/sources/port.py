"""The port of all sources: whatever the format, out come frames and the rows that could not be read.

A file has its rows in itself. A provider is asked for some: it takes what a plan says (``symbols``, ``start``, ``end``,
``settings``), and goes on from what is stored where the plan says no times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from backbone.domain import Frame, text

__all__ = [
    "EXCERPT_LENGTH",
    "Account",
    "BadRow",
    "Cursor",
    "Progress",
    "ProviderSource",
    "Source",
    "SourceChunk",
    "excerpt",
]

EXCERPT_LENGTH = 200
"""Characters of a bad row that are kept."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not go in.

    Attributes:
        location: where it stands, such as ``bars.csv:17`` (the line, counted from 1).
        reason: what is wrong, in words.
        excerpt: how it begins, at most ``EXCERPT_LENGTH`` characters, control characters escaped.
        payload: the row whole, as a frame of its own in the columnar codec, where it could be read.
    """

    location: str
    reason: str
    excerpt: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source has got: rows seen (good and bad), bytes read of the file as it lies on disk, and its size.

    Of a provider there are symbols instead of bytes; `of` says which it is.
    """

    rows_read: int
    bytes_read: int
    bytes_total: int
    of: str = "file"


@dataclass(frozen=True, slots=True)
class SourceChunk:
    """What a source delivers at once.

    Attributes:
        frame: the good rows; may be empty when all were bad.
        quarantined: the bad rows met since the chunk before.
        token: says how far the source has got; opaque to all but the source.
        rows_read: rows seen since the start, good and bad.
        given: the good rows one after the other as they came, where some have one key, of which `frame` has the last;
            None: `frame` has all of them.
        known_at: since when the world has known these values, of figures that are revised; a read ``as_of`` a moment
            goes by it. Such chunks come in the order of their moments. None: since they are stored.
    """

    frame: Frame
    quarantined: tuple[BadRow, ...]
    token: str
    rows_read: int
    given: Frame | None = None
    known_at: datetime | None = None


@dataclass(slots=True)
class Account:
    """What a source made of its input. One that keeps it has it as its attribute ``account``; none has to.

    Attributes:
        dialect: how the input is laid out, by name; "" where no layout was recognised.
        columns: the input's columns to ours.
        ignored: the input's other columns, each with the reason.
        kinds: of the input's columns, the kind of their values, where the input says it.
        notes: what else is to be said, each once.
    """

    dialect: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, *words: str) -> None:
        """Add what is not said yet."""
        self.notes.extend(each for each in words if each not in self.notes)


class Source(Protocol):
    """A provider of rows of one dimension.

    Reading blocks: call ``chunks`` and each ``next`` in a worker thread. The same input gives the same chunks.
    """

    @property
    def name(self) -> str:
        """Short name, stored beside every row, such as ``csv``."""
        ...

    def describe(self) -> str:
        """What is read, in a few words for the operator."""
        ...

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """Deliver all rows.

        Args:
            progress: called now and then, from the thread that iterates.

        Raises:
            SourceError: the input is missing or can't be used; may come after the first chunks.
        """
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a provider goes on when a plan says no times.

    Attributes:
        newest: the newest row that is stored, by symbol; of symbols that are not in it nothing is stored.
        lag: how far before that it begins, so that days that were revised meanwhile are fetched again.
    """

    newest: Mapping[str, datetime] = field(default_factory=dict)
    lag: timedelta = timedelta(0)

    def start(self, symbol: str) -> datetime | None:
        """From where a symbol is to be fetched; None: nothing of it is stored."""
        newest = self.newest.get(symbol)
        return None if newest is None else newest - self.lag


@runtime_checkable
class ProviderSource(Source, Protocol):
    """A source that is asked for rows, and may go on from what is stored.

    One symbol that is refused takes no other one's rows with it: it is a `BadRow` with the reason. Where not one symbol
    was answered, `chunks` raises SourceError; `backbone.sources.errors.SourceUnavailable` says by ``retry_after`` when
    it is worth asking again.
    """

    @property
    def lag(self) -> timedelta:
        """How far before the newest stored row it wants to begin again."""
        ...

    def follow(self, cursor: Cursor) -> None:
        """Go on from there, where the plan says no times; called once, before ``chunks``."""
        ...

    def stop(self) -> None:
        """Give up what is being waited for. Called from another thread, maybe more than once."""
        ...


def excerpt(raw: bytes | str) -> str:
    """Begin of a row, safe to print: control characters and broken UTF-8 escaped, at most ``EXCERPT_LENGTH`` long."""
    return text.excerpt(raw, EXCERPT_LENGTH)
