"""The port of all providers: whatever the format, out come frames and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from backbone.domain import Frame, text

__all__ = ["EXCERPT_LENGTH", "Account", "BadRow", "Progress", "Source", "SourceChunk", "excerpt"]

EXCERPT_LENGTH = 200
"""Characters of a bad row that are kept."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not go in.

    Attributes:
        location: where it stands, such as ``bars.csv:17`` (the line, counted from 1).
        reason: what is wrong, in words.
        excerpt: how it begins, at most ``EXCERPT_LENGTH`` characters, control characters escaped.
    """

    location: str
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source has got: rows seen (good and bad), bytes read of the file as it lies on disk, and its size."""

    rows_read: int
    bytes_read: int
    bytes_total: int


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
    """

    frame: Frame
    quarantined: tuple[BadRow, ...]
    token: str
    rows_read: int
    given: Frame | None = None


@dataclass(slots=True)
class Account:
    """What a source made of its input. One that keeps it has it as its attribute ``account``; none has to.

    Attributes:
        dialect: how the input is laid out, by name; "" where no layout was recognised.
        columns: the input's columns to ours.
        ignored: the input's other columns, each with the reason.
        notes: what else is to be said, each once.
    """

    dialect: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
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


def excerpt(raw: bytes | str) -> str:
    """Begin of a row, safe to print: control characters and broken UTF-8 escaped, at most ``EXCERPT_LENGTH`` long."""
    return text.excerpt(raw, EXCERPT_LENGTH)
