"""The contract of a run: its source's columns, held against those of the run before, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.quality.contracts import Difference, Shape, differences, kept_aside, other_columns, without
from backbone.settings import Settings
from backbone.sources.errors import InputInvalid
from backbone.sources.port import Account, BadRow, Source, SourceChunk
from backbone.store.records import JournalRow

__all__ = ["LOOKED_THROUGH", "RunContract", "columns_of"]

LOOKED_THROUGH: Final = 20
"""Journal rows of a source in which its columns are looked for; whoever adds a row carries them on."""

_REMEMBERED: Final = "columns"


def columns_of(journal: Iterable[JournalRow]) -> dict[str, str]:
    """The columns of a source as they are remembered, from its journal, newest first: facts for a further row."""
    told = (row.metadata.get(_REMEMBERED, "") for row in journal)
    text = next((text for text in told if text and Shape.of_json(text) is not None), "")
    return {_REMEMBERED: text} if text else {}


class RunContract:
    """Holds one run to the contract of its dimension.

    The columns of a run are remembered in the journal, beside each of its chunks, and stay there as long as the newest
    row of the source does, which is for ever.

    Args:
        source: what is read; one that keeps no account of its columns has no contract.
        name: of the source.
        dimension: of its rows.
        settings: the contracts.
    """

    def __init__(self, source: Source, name: str, dimension: Dimension, settings: Settings) -> None:
        self._source = source
        self._name = name
        self._dimension = dimension
        self.settings = settings
        self._contract = settings.quality.contracts.of(dimension)
        self._before: Shape | None = None

    @property
    def binds(self) -> bool:
        """Whether anything is held against the run before at all."""
        return self._contract != "evolve" and self._account is not None

    @property
    def _account(self) -> Account | None:
        account = getattr(self._source, "account", None)
        return account if isinstance(account, Account) else None

    def after(self, journal: Iterable[JournalRow]) -> None:
        """Take the columns of the run before from the journal of the source, newest first."""
        self._before = Shape.of_json(columns_of(journal).get(_REMEMBERED, ""))

    def hold(self, chunks: Iterable[SourceChunk]) -> Iterator[SourceChunk]:
        """The chunks, as the contract lets them in.

        Raises:
            InputInvalid: the columns are others than before, and the contract refuses that.
        """
        for chunk in chunks:
            found = self._differences()
            if not found or self._account is None:
                yield chunk
                continue
            if self._contract == "freeze":
                self._refuse(found)
            self._account.note(f"{other_columns(found)}; {_DONE[self._contract]}")
            yield _aside(chunk, found) if self._contract == "quarantine" else _discarded(chunk, found)

    def _differences(self) -> tuple[Difference, ...]:
        now = self._shape()
        return () if now is None or self._before is None or not self.binds else differences(self._before, now)

    def _shape(self) -> Shape | None:
        """The columns of the source, once it has told them."""
        account = self._account
        if account is None or not account.columns:
            return None
        return Shape({**account.columns, **dict.fromkeys(account.ignored, "")}, dict(account.kinds))

    def _refuse(self, found: tuple[Difference, ...]) -> None:
        raise InputInvalid(
            f"{self._name}: {other_columns(found)}; quality.contracts.{self._dimension}=freeze refuses that: mend the "
            "source, or take them by a run with evolve"
        )

    def remembered(self) -> dict[str, str]:
        """What goes into the journal beside a chunk: the columns, or those of before where others were discarded."""
        shape = self._before if self._contract == "discard" and self._before is not None else self._shape()
        text = "" if shape is None else shape.to_json()
        return {_REMEMBERED: text} if text else {}


_DONE: Final = {
    "discard": "what differs was left out, as quality.contracts says",
    "quarantine": "the rows were kept aside, as quality.contracts says",
}


def _discarded(chunk: SourceChunk, found: tuple[Difference, ...]) -> SourceChunk:
    given = None if chunk.given is None else without(chunk.given, found)
    return replace(chunk, frame=without(chunk.frame, found), given=given)


def _aside(chunk: SourceChunk, found: tuple[Difference, ...]) -> SourceChunk:
    rejected = kept_aside(chunk.frame if chunk.given is None else chunk.given, found)
    rows = (BadRow(each.location, each.reason, each.excerpt, each.payload) for each in rejected)
    empty = Frame.empty(chunk.frame.dimension)
    return replace(chunk, frame=empty, quarantined=(*chunk.quarantined, *rows), given=None)
