"""What an error of DuckDB means to the caller of the store. Every one of them is refused; none is taken for a bug."""

from __future__ import annotations

import re

import duckdb

from backbone.store.errors import RowRefused, SchemaMismatch, StoreBusy, StoreError, StoreUnavailable

__all__ = ["explained", "first_line", "lacks_memory", "not_opened"]

_CANT_GO_ON = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException)
_NO_ROOM = re.compile(r"Failed to commit: (could not|failed to) (pin|allocate|reserve|load|offload)\b", re.IGNORECASE)
_NOT_KEPT = re.compile(r"Failed to commit: Could not (write|sync|truncate|seek|read)")
"""The log could not be written; other commits fail because somebody else was faster."""


def explained(error: duckdb.Error, path: str, deadline: float) -> StoreError:
    """The error to raise instead.

    Args:
        error: what DuckDB raised.
        path: the database file.
        deadline: seconds after which a piece of work is interrupted.
    """
    text = f"{path}: {first_line(error)}"
    if isinstance(error, duckdb.InterruptException):
        return StoreBusy(f"{path}: gave up after {deadline:g} s and rolled back; ask for less at a time")
    if lacks_memory(error):  # it has rolled back, and goes on
        return StoreBusy(f"{text}; nothing was written: ask for less at a time, or raise store.memory_limit")
    if isinstance(error, duckdb.CatalogException):
        return SchemaMismatch(f"{text}; run `backbone migrate`")
    if isinstance(error, _CANT_GO_ON):
        return StoreUnavailable(f"{text}; check disk and memory, then open it again")
    if isinstance(error, duckdb.TransactionException) and _NOT_KEPT.search(text):
        return StoreUnavailable(f"{text}; nothing was written: make room on the disk, or mend it")
    if isinstance(error, duckdb.TransactionException):
        return StoreBusy(f"{text}; nothing was written, try again")
    if isinstance(error, duckdb.ConnectionException):
        return StoreUnavailable(f"{text}; nothing was written, try again", passing=True)
    if isinstance(error, duckdb.DataError | duckdb.IntegrityError):
        return RowRefused(f"{text}; nothing was written: correct the row")
    return StoreError(f"{text}; nothing was written: correct what was asked for, or the table where it was changed")


def lacks_memory(error: duckdb.Error) -> bool:
    """Whether work was given up because it needs more memory than it may have."""
    return isinstance(error, duckdb.OutOfMemoryException) or _NO_ROOM.search(first_line(error)) is not None


def not_opened(path: str, error: Exception) -> StoreUnavailable:
    """Why a file can't be opened, and what to do."""
    text = first_line(error)
    if locked := re.search(r"Conflicting lock is held.*?\(PID (\d+)\)", text):
        return StoreUnavailable(
            f"{path} is open in another process (pid {locked[1]}), and DuckDB allows one at a time; "
            "ask that process through `backbone status`, or stop it"
        )
    return StoreUnavailable(
        f"{path} can't be opened: {text}; give store.path a DuckDB file in a folder that can be written to"
    )


def first_line(error: Exception) -> str:
    """The first line of an error's text: DuckDB adds the statement and a picture of it below."""
    return str(error).strip().split("\n", 1)[0]
