"""What can go wrong in the store, and what to do about it."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = [
    "CursorSetBack",
    "FencedOut",
    "NotBuilt",
    "PositionLost",
    "RowRefused",
    "SchemaMismatch",
    "SnapshotLost",
    "StatementRefused",
    "StoreBusy",
    "StoreError",
    "StoreUnavailable",
    "TooMuch",
    "UnknownOutcome",
    "Unsupported",
    "VersionStands",
]


class StoreError(BackboneError):
    """Base of all store errors."""

    code = "store"


class StoreUnavailable(StoreError):
    """The store can't be reached, opened or written to now. Nothing was written; try again when the cause is gone.

    Attributes:
        passing: it may well pass by itself: the server is starting, silent or full. False: somebody has to act.
    """

    code = "unavailable"

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class StoreBusy(StoreUnavailable):
    """The store works, but had no time for this: others had it locked, or it took too long. Nothing was written."""

    code = "busy"


class RowRefused(StoreError, ValueError):
    """One of the rows can't be stored: it has a value or a text that the tables don't take. The others can."""

    code = "row"


class StatementRefused(StoreError, ValueError):
    """A statement of SQL does more than to read what it may read, or the database can't make sense of it."""

    code = "statement"


class TooMuch(StoreError):
    """A statement of SQL takes more time, rows, bytes or memory than it may; nothing of its answer is given."""

    code = "too_much"


class VersionStands(StoreError):
    """Another version of a row is stored, and the chunk was to take no other one's place. Nothing was written."""

    code = "stands"


class FencedOut(StoreError):
    """Another one took over this source and dimension, or this sink and shard.

    Nothing was written: stop, whoever is told this is a zombie.
    """

    code = "fenced"

    @classmethod
    def of(cls, what: str, epoch: int, current: int | None) -> FencedOut:
        """The error in words.

        Args:
            what: was written to.
            epoch: given by the writer.
            current: the one that holds; None if none was ever claimed.
        """
        holder = "none was claimed" if current is None else f"epoch {current} holds now"
        return cls(f"epoch {epoch} given for {what}, but {holder}; stop this writer and claim a new epoch")


class CursorSetBack(StoreError):
    """A sink's cursor stands before where that sink had moved it, or another server answers: the database was set back.

    Nothing was moved. Read the cursor, and go on from there.
    """

    code = "cursor_set_back"

    @classmethod
    def elsewhere(cls, what: str, server: str, now: str) -> CursorSetBack:
        """The error where another server answers; it may lack what the former one committed last.

        Args:
            what: was to be moved.
            server: from which it was published.
            now: which one answers.
        """
        return cls(f"{what} was published from server {server}, and {now or 'another'} answers; read the cursor there")

    @classmethod
    def of(cls, what: str, known: int, stored: int) -> CursorSetBack:
        """The error in words.

        Args:
            what: was to be moved.
            known: where the caller had moved it to.
            stored: where it stands.
        """
        return cls(
            f"the cursor of {what} was at {known} and stands at {stored}: the database was set back; go on there"
        )


class UnknownOutcome(StoreError):
    """The answer to a COMMIT was lost. Ask `lookup(run_id, ingest_id)` before any retry."""

    code = "unknown_outcome"


class SchemaMismatch(StoreError):
    """The tables are not those this version works with; the message says which migration differs or is missing."""

    code = "schema"


class SnapshotLost(StoreError):
    """The moment that was read from stands no more: it lasted too long, or the store was opened anew. Begin another."""

    code = "snapshot_lost"

    @classmethod
    def after(cls, seconds: float) -> SnapshotLost:
        """The error of one that lasted too long.

        Args:
            seconds: for which it was held.
        """
        return cls(f"the snapshot was held for {seconds:g} s, as long as it may; read less at once, or allow more")

    @classmethod
    def gone(cls) -> SnapshotLost:
        """The error of one that the store knows nothing of."""
        return cls("the snapshot is gone: the store was opened anew, or it was closed; begin another one")


class Unsupported(StoreError):
    """This store can't do what was asked; the message says which can."""

    code = "unsupported"


class NotBuilt(Unsupported):
    """This version does not have that yet; the message says what to use meanwhile."""

    code = "not_built"


class PositionLost(StoreError):
    """Neither the log nor the outbox goes back so far, or the position is of another database or of before a restore.

    Subscribe from 'latest', then fetch the rows: what is committed between the two is missed in the other order.
    """

    code = "position_lost"

    @classmethod
    def of(cls, position: int) -> PositionLost:
        """The error in words.

        Args:
            position: from which somebody wants to go on.
        """
        return cls(
            f"position {position} given; log and outbox do not go back so far: subscribe from 'latest', then fetch"
        )
