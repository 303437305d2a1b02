"""What was supervised, and what was left behind: observed after a backbone has closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from actors import RosterSnapshot
from backbone.domain.report import Report, markdown_table
from backbone.settings.redaction import redact

__all__ = ["Supervised", "ValidationReport", "observe"]


class Supervised(msgspec.Struct, frozen=True, kw_only=True):
    """One actor, supervisor or task of the last roster."""

    path: str
    kind: str
    state: str
    restarts: int
    last_error: str | None


class ValidationReport(Report, frozen=True, kw_only=True):
    """Whether a backbone left nothing behind.

    Attributes:
        succeeded: something was supervised, there were no orphans, and no task is left.
        supervised: the last roster before the stop.
        orphans: tasks that had outlived their actor in that roster.
        tasks_left: tasks of the event loop after the stop that were not there before the start.
        host_tasks: tasks that the host had all the time.
        dead_letters: messages that nobody handled.
    """

    title: ClassVar[str] = "System validation"

    succeeded: bool
    supervised: tuple[Supervised, ...]
    orphans: tuple[str, ...]
    tasks_left: tuple[str, ...]
    host_tasks: tuple[str, ...]
    dead_letters: int

    def to_markdown(self) -> str:
        """The conclusion, then the roster as a table."""
        facts = (
            ("succeeded", self.succeeded),
            ("orphans", self.orphans),
            ("tasks left", self.tasks_left),
            ("host tasks", self.host_tasks),
            ("dead letters", self.dead_letters),
        )
        names = ("path", "kind", "state", "restarts", "last_error")
        rows = [[getattr(entry, name) for name in names] for entry in self.supervised]
        return f"{self.heading()}\n{markdown_table(('what', 'observed'), facts)}\n{markdown_table(names, rows)}"


def observe(roster: RosterSnapshot, host: Iterable[asyncio.Task[Any]], *, settings_hash: str) -> ValidationReport:
    """Look at the event loop now, after the backbone of this roster has closed.

    Args:
        roster: the last one before the stop.
        host: the tasks that were there before the backbone was opened.
        settings_hash: of its settings.
    """
    before = set(host)
    left = tuple(sorted(task.get_name() for task in asyncio.all_tasks() - before))
    return ValidationReport(
        succeeded=bool(roster.entries) and not roster.orphans and not left,
        supervised=tuple(
            Supervised(
                path=each.path,
                kind=each.kind,
                state=each.state,
                restarts=each.restarts,
                last_error=_redacted(each.last_error),
            )
            for each in roster.entries
        ),
        orphans=roster.orphans,
        tasks_left=left,
        host_tasks=tuple(sorted(task.get_name() for task in before if not task.done())),
        dead_letters=roster.dead_letters,
        settings_hash=settings_hash,
    )


def _redacted(error: str | None) -> str | None:
    return None if error is None else redact(error)
