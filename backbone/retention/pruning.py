"""Deletes published outbox rows, bad rows and rows of the journal that are old enough, or too many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from backbone.retention.cutoff import steps
from backbone.retention.enforcing import Ask
from backbone.settings.sections.retention import RetentionSettings
from backbone.store.messages import PruneStore, ReadOutbox
from backbone.store.records import JournalBound

__all__ = ["prune"]

_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)


async def prune(
    ask: Ask,
    retention: RetentionSettings,
    now: datetime,
    heed: Callable[[], None],
    pruned: dict[str, int],
    *,
    apply: bool,
) -> None:
    """Delete, or without `apply` count: an hour of outbox at a time, at last what is too large.

    Args:
        ask: asks the store.
        retention: for how long what is kept.
        now: the moment from which that is counted back.
        heed: called before each step; raises where the kill switch holds scheduled work.
        pruned: gets what was, or would be, deleted, by kind, also where this fails half-way.
        apply: delete.

    Raises:
        Reject: the store refuses, or the kill switch is there.
    """
    published = now - timedelta(hours=retention.outbox_hours)
    bad = now - timedelta(days=retention.quarantine_days)
    oldest = await ask(ReadOutbox(0, 1)) if apply else []
    begin = min(oldest[0].created_at, published - _MICROSECOND) if oldest else published - _MICROSECOND
    pruned["outbox"] = 0
    for moment in steps(begin, published, _HOUR) if apply else [published]:
        heed()
        last, most, of_runs = None, None, None
        if moment == published:
            last, most = bad, retention.outbox_bytes
            of_runs = JournalBound(now - timedelta(days=retention.journal_days), retention.journal_rows)
        found = await ask(PruneStore(moment, last, dry_run=not apply, outbox_bytes=most, journal=of_runs))
        for what, count in found.items():
            pruned[what] = pruned.get(what, 0) + count
