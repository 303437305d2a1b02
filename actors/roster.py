"""The live roster as data: one snapshot of a system, with an entry for every actor, supervisor and task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Health(msgspec.Struct, frozen=True):
    """An actor's own word on how it is (ok, degraded, failed), why, since when, what happens next, what you can do."""

    level: str = "ok"
    why: str = ""
    since: datetime | None = None
    next: str = ""
    action: str = ""


HEALTHY = Health()


class TaskRun(msgspec.Struct, frozen=True):
    """One run of a supervised task: "finished", "failed" or "stopped"; times are UTC, `error` says why it failed."""

    incarnation: int
    outcome: str
    started_at: datetime
    ended_at: datetime
    seconds: float
    error: str | None = None


class RosterEntry(msgspec.Struct, frozen=True, gc=False):
    """One actor, supervisor or task. Times are UTC, `_s` are seconds; counters never fall.

    `runs` are the last ones of a supervised task, oldest first; `names` and `groups` are those of `system.registry`.
    """

    path: str
    id: str
    kind: str
    state: str
    health: Health
    incarnation: int
    restarts: int
    restarts_in_window: int
    intensity: str
    started_at: datetime
    state_since: datetime
    handling: str | None
    handling_for_s: float | None
    waiting_on: str | None
    mailbox_depth: int
    mailbox_capacity: int
    mailbox_peak: int
    handled: int
    failed: int
    dropped: int
    last_error: str | None
    last_error_at: datetime | None
    next_restart_in_s: float | None
    metadata: Any
    detail: dict[str, Any] | None = None
    runs: tuple[TaskRun, ...] = ()
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class RosterSnapshot(msgspec.Struct, frozen=True):
    """What a system looked like at one moment. `deadlocks` are cycles of waits found in it, as paths."""

    seq: int
    captured_at: datetime
    system: str
    entries: tuple[RosterEntry, ...]
    orphans: tuple[str, ...]
    host_tasks: tuple[str, ...]
    dead_letters: int
    loop_lag_s: float
    deadlocks: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> bytes:
        """The snapshot as JSON."""
        return as_json(self)

    def find(self, path: str) -> RosterEntry | None:
        """The entry at a path."""
        return next((entry for entry in self.entries if entry.path == path), None)


def as_json(value: Any) -> bytes:
    """The value as JSON; where it has more than ASCII, which may steer a terminal, that stands as escapes."""
    data = msgspec.json.encode(value, enc_hook=plain)
    if data.isascii() and b"\x7f" not in data:
        return data
    return json.dumps(msgspec.json.decode(data), separators=(",", ":")).replace("\x7f", "\\u007f").encode()


def plain(value: Any) -> Any:
    """What JSON can say of a value that is an author's: a mapping as such, all else as text."""
    return dict(value) if isinstance(value, Mapping) else str(value)
