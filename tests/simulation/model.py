"""What a backbone has to do, in plain words: a dict of rows and a list of changes."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from backbone import Dimension, Frame

__all__ = ["Change", "Commit", "Key", "Model", "Rows", "Series", "rows_of"]


class Series(NamedTuple):
    """A symbol of a dimension: within one, changes have an order."""

    dimension: Dimension
    symbol: str


class Key(NamedTuple):
    """Which row; there is one interval, so it is left out."""

    series: Series
    ts: datetime


class Change(NamedTuple):
    """A row that came new or otherwise, by which commit."""

    ts: datetime
    value: float
    commit: int


Rows = Mapping[Key, float]


@dataclass(slots=True)
class Commit:
    """What one transaction changed.

    Attributes:
        at: its stamp.
        position: of its last outbox row.
        rows: what it changed; empty: it published nothing.
        pruned: its outbox rows may be gone.
    """

    at: datetime
    position: int
    rows: dict[Key, float]
    pruned: bool = False


@dataclass(slots=True)
class Model:
    """Rows, changes, and who ever wanted which value.

    Attributes:
        rows: as they are now.
        commits: all of them, in order; a number of one is its place from 1.
        changes: by symbol, in order.
        applied: chunks that were written, by run and content: none of them is written twice.
        asked: what callers ever asked for; nothing else may come in.
        era: how often the database was put back to an earlier copy.
    """

    rows: dict[Key, float] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    changes: defaultdict[Series, list[Change]] = field(default_factory=lambda: defaultdict(list))
    applied: set[tuple[object, ...]] = field(default_factory=set)
    asked: set[tuple[Key, float]] = field(default_factory=set)
    era: int = 0

    def commit(self, identity: tuple[object, ...], given: Rows, at: datetime, position: int) -> Commit | None:
        """A chunk was written; None: it had been before."""
        if identity in self.applied:
            return None
        self.applied.add(identity)
        changed = {key: value for key, value in sorted(given.items()) if self.rows.get(key) != value}
        self.rows.update(changed)
        commit = Commit(at, position, changed)
        if changed:
            self.commits.append(commit)
            for key, value in changed.items():
                self.changes[key.series].append(Change(key.ts, value, len(self.commits)))
        return commit

    @property
    def now(self) -> int:
        """The number of the last commit."""
        return len(self.commits)

    def at(self, number: int) -> Rows:
        """The rows as they were after a commit."""
        rows: dict[Key, float] = {}
        for commit in self.commits[:number]:
            rows.update(commit.rows)
        return rows

    def since(self, key: Key, number: int) -> list[tuple[int, float | None]]:
        """The values that a row has had from after a commit on, each with the commit that brought it."""
        values: list[tuple[int, float | None]] = [(number, self.at(number).get(key))]
        for later, commit in enumerate(self.commits[number:], number + 1):
            if key in commit.rows:
                values.append((later, commit.rows[key]))
        return values

    def prune(self, before: datetime) -> None:
        """Outbox rows of before a moment may be gone."""
        for commit in self.commits:
            commit.pruned = commit.pruned or commit.at < before

    def first_kept(self, series: Series) -> int:
        """The place among a symbol's changes of the first one that is in the outbox for sure."""
        changes = self.changes[series]
        gone = (place for place, change in enumerate(changes, 1) if self.commits[change.commit - 1].pruned)
        return max(gone, default=0)

    def copied(self) -> Model:
        """What a copy of the database holds."""
        return copy.deepcopy(self)

    def restored(self, old: Model) -> Model:
        """The database was put back to a copy: what came later is undone; what was asked for, was."""
        return Model(
            dict(old.rows),
            copy.deepcopy(old.commits),
            copy.deepcopy(old.changes),
            set(old.applied),
            self.asked,
            self.era + 1,
        )


def rows_of(frame: Frame) -> Rows:
    """A frame's rows."""
    table = frame.to_arrow()
    columns: Iterable[list[object]] = (table.column(name).to_pylist() for name in ("symbol", "ts", "close"))
    return {Key(Series(frame.dimension, symbol), ts): close for symbol, ts, close in zip(*columns, strict=True)}
