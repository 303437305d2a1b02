"""How an actor refuses a request, and how the facade raises that refusal again: one table of codes and errors."""

from __future__ import annotations

from actors import AskRejected, Reject
from backbone.sources.errors import InputInvalid, InputMissing, SourceError
from backbone.store.errors import (
    FencedOut,
    RowRefused,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    UnknownOutcome,
    Unsupported,
)

__all__ = ["PASSING", "REFUSABLE", "BackboneClosed", "NotBuilt", "PositionLost", "refuse", "restore"]


class BackboneClosed(RuntimeError):
    """This backbone was left: open another one with `Backbone.open`, and use it inside its `async with`."""


class NotBuilt(Unsupported):
    """This version does not have that yet; the message says what to use meanwhile."""


class PositionLost(StoreError):
    """Neither the log nor the outbox goes back so far. Fetch the rows, then subscribe from 'latest'."""


_CODES: dict[str, type[Exception]] = {
    "busy": StoreBusy,
    "unavailable": StoreUnavailable,
    "schema": SchemaMismatch,
    "not_built": NotBuilt,
    "unsupported": Unsupported,
    "unknown_outcome": UnknownOutcome,
    "position_lost": PositionLost,
    "row": RowRefused,
    "input_missing": InputMissing,
    "input_invalid": InputInvalid,
    "source": SourceError,
    "store": StoreError,
    "invalid": ValueError,
}

PASSING = frozenset({"busy", "unavailable"})
"""Codes of what may be asked again later with another outcome."""

REFUSABLE = (StoreError, ValueError)
"""What is the world's or the caller's fault: refused. Everything else is a bug, and crashes the actor."""


def refuse(error: Exception) -> Reject:
    """The Reject that carries an error across actors."""
    if isinstance(error, FencedOut):
        return Reject("store", str(error))
    code = next(code for code, kind in _CODES.items() if isinstance(error, kind))
    return Reject(code, str(error))


def restore(rejected: AskRejected | Reject) -> Exception:
    """The error that a Reject carried."""
    kind = _CODES.get(rejected.code)
    return rejected if kind is None else kind(rejected.text)
