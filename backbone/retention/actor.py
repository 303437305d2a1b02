"""The retention actor: judges what is kept against the policies, drops what is beyond them, prunes what was published.

Rows are dropped chunk by chunk, after a dry run, and only while what is stored could be read; the cache forgets its
windows then, and the ledger knows in the same transaction that the range is no longer whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio

from actors import Actor, ActorError, Message, Reject, handles
from backbone.cache.messages import ForgetWindows
from backbone.calls import Calls, refuse
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.domain.zones import Stamps
from backbone.quality.calendars import calendar_of
from backbone.retention.cutoff import Cutoff, cutoff, steps
from backbone.retention.judging import judge, judged_from
from backbone.retention.messages import RunRetention
from backbone.retention.policy import Policy, policies_of
from backbone.retention.report import RetentionDrop, RetentionFinding, RetentionReport
from backbone.settings import Settings
from backbone.store.errors import NotBuilt
from backbone.store.messages import DropRows, PruneStore, ReadCoverage, ReadOutbox, ReadStamps
from backbone.store.records import Coverage

__all__ = ["RetentionActor"]

_TIMEOUT = 60.0
_DROP_TIMEOUT = 300.0  # one chunk of a large table, with its revisions
_FORGET_TIMEOUT = 5.0
_PAUSED = "paused"
_LOOK_INTERVAL = 1.0  # seconds between two looks for the kill switch
_HOUR = timedelta(hours=1)
_EMBEDDED = "an embedded store is never dropped from"
_MICROSECOND = timedelta(microseconds=1)

Stored = Mapping[Dimension, Sequence[Coverage]]


class Upkeep(Message, frozen=True):
    """Time for the schedule."""


class LookForSwitch(Message, frozen=True):
    """Time to look whether the kill switch is there."""


class RetentionActor(Actor):
    """Judges and enforces retention on request, and by a schedule, which pauses while the kill switch exists.

    Args:
        calls: where store and cache are.
        settings: the policies, what the schedule does, and the calendars.
        enforceable: whether rows of this store may be dropped at all.
    """

    def __init__(self, calls: Calls, settings: Settings, *, enforceable: bool = False) -> None:
        self._calls = calls
        self.settings = settings
        self._policies = policies_of(settings.retention)
        self._enforceable = enforceable
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._last: dict[str, Any] = {}
        self._trouble = ""
        self._paused = False
        self._by_schedule = False

    async def on_start(self) -> None:
        """Begin the schedule; its first run comes after one interval."""
        if self.settings.retention.interval:
            self.context.send_after(self.settings.retention.interval, Upkeep(), key="upkeep")
        if self.settings.kill_switch is not None:
            self.context.send_every(_LOOK_INTERVAL, LookForSwitch(), key="switch")
            self._look()

    def inspect(self) -> dict[str, Any]:
        """What the last run of the schedule did, and whether the kill switch holds it."""
        return {**self._last, "paused": self._paused} if self._paused else dict(self._last)

    @handles
    def look(self, message: LookForSwitch) -> None:
        """Pause, or go on."""
        self._look()

    def _look(self) -> None:
        paused = _exists(self.settings.kill_switch)
        if paused != self._paused:
            self._paused = paused
            self.context.log.warning("kill switch", path=self.settings.kill_switch, paused=paused)
            self._say()

    def _say(self) -> None:
        if self._paused:
            self.context.report_health(
                "degraded",
                f"the kill switch {self.settings.kill_switch} is there",
                "nothing is done by schedule: no rows are dropped or pruned; ingest, fetch and subscriptions go on",
                "remove the file to let the schedule go on",
            )
        elif self._trouble:
            following = f"tries again in {self.settings.retention.interval:g} s; until then old rows are kept"
            self.context.report_health(
                "degraded", self._trouble, following, "see the store's own line in backbone status"
            )
        else:
            self.context.report_health("ok")

    @handles
    def run(self, message: RunRetention) -> None:
        """See RunRetention."""
        now = self.context.clock.now()
        if message.apply and not self._enforceable:
            text = "retention over the embedded store is a dry run: nothing is dropped; leave --apply out"
            raise refuse(NotBuilt(text))
        if message.apply and message.as_of is not None and message.as_of > now:
            text = f"as_of={message.as_of} given with apply, a moment to come; give one that has passed"
            raise refuse(ValueError(text))
        reply = self.context.defer_reply()
        self.context.run_task(self._run(message.as_of or now, apply=message.apply), name="run", reply=reply)

    @handles
    def upkeep(self, message: Upkeep) -> None:
        """Prune, and drop where the settings say so; then again after the interval."""
        self.context.run_task(self._upkeep(), name="upkeep")

    async def _upkeep(self) -> None:
        self._look()
        if not self._paused:
            await self._keep_up()
        self.context.send_after(self.settings.retention.interval, Upkeep(), key="upkeep")

    async def _keep_up(self) -> None:
        try:
            async with self._one_at_a_time:
                self._by_schedule = True
                dropped = 0
                if self.settings.retention.enabled and self._enforceable:
                    now = self.context.clock.now()
                    drops = await self._enforce(self._whole(*await self._stored(now)), now)
                    dropped = sum(drop.rows for drop in drops)
                pruned = await self._prune(apply=True)
        except Reject as reject:
            self._trouble = "" if reject.code == _PAUSED else f"upkeep failed: {reject.text}"
        else:
            self._trouble = ""
            self._last = {"dropped": dropped, **{f"pruned_{what}": count for what, count in pruned.items()}}
            self.context.log.info("upkeep done", **self._last)
        finally:
            self._by_schedule = False
        self._say()

    def _heed_the_switch(self) -> None:
        """Before each step of scheduled work: what is under way stops there, too."""
        if self._by_schedule:
            self._look()
        if self._by_schedule and self._paused:
            raise Reject(_PAUSED, "the kill switch is there; the schedule stopped between two steps")

    async def _run(self, as_of: datetime, *, apply: bool) -> RetentionReport:
        async with self._one_at_a_time:
            stored, unread = await self._stored(as_of)
            drops = await (self._enforce(self._whole(stored, unread), as_of) if apply else self._would(stored, as_of))
            pruned = await self._prune(apply=apply)
            if apply:
                stored, unread = await self._stored(as_of)
            findings = await self._findings(stored, as_of)
        statuses = [finding.status for finding in findings] + [Status.FAILED] * len(unread)
        return RetentionReport(
            status=Status.worst(statuses),
            as_of=as_of,
            applied=apply,
            findings=tuple(findings),
            drops=tuple(drops),
            pruned=pruned,
            note=_unread(unread) or ("" if findings else "the store holds no rows"),
            settings_hash=self.settings.hash,
            span_start=min((finding.earliest for finding in findings), default=None),
            span_end=max((finding.latest for finding in findings), default=None),
        )

    async def _stored(self, as_of: datetime) -> tuple[Stored, Mapping[Dimension, Reject]]:
        """What is stored up to a moment, and which dimensions could not be read.

        Raises:
            Reject: none could.
        """
        stored: dict[Dimension, Sequence[Coverage]] = {}
        unread: dict[Dimension, Reject] = {}
        for policy in self._policies:
            try:
                stored[policy.dimension] = await self._ask(ReadCoverage(policy.dimension, as_of))
            except Reject as reject:
                unread[policy.dimension] = reject
        if unread and not stored:
            raise next(iter(unread.values()))
        return stored, unread

    def _whole(self, stored: Stored, unread: Mapping[Dimension, Reject]) -> Stored:
        """What is stored, if all of it could be read: else nothing may be dropped."""
        if unread:
            raise Reject("unavailable", f"{_unread(unread)}; nothing was dropped, try again")
        return stored

    async def _would(self, stored: Stored, as_of: datetime) -> list[RetentionDrop]:
        """The dry run: what would be dropped of each dimension that has rows beyond the cap."""
        drops = []
        for policy in self._policies:
            limit = self._cutoff(policy, stored.get(policy.dimension, ()), as_of)
            if limit.before is not None:
                rows = await self._ask(DropRows(policy.dimension, limit.before))
                drops.append(RetentionDrop(dimension=policy.dimension, before=limit.before, rows=rows, kept=limit.kept))
            elif limit.kept:
                drops.append(RetentionDrop(dimension=policy.dimension, before=None, rows=0, kept=limit.kept))
        return drops

    def _cutoff(self, policy: Policy, coverage: Sequence[Coverage], as_of: datetime) -> Cutoff:
        """Up to where rows may be dropped: nowhere, where the store is never dropped from."""
        limit = cutoff(policy, coverage, as_of)
        beyond = limit.before is not None or limit.kept
        return limit if self._enforceable or not beyond else Cutoff(None, _EMBEDDED)

    async def _enforce(self, stored: Stored, as_of: datetime) -> list[RetentionDrop]:
        """Drop what the dry run names; a dimension of which it names everything is left alone."""
        drops = []
        for planned in await self._would(stored, as_of):
            coverage = stored[planned.dimension]
            if planned.before is None or not planned.rows:
                drops.append(planned)
            elif planned.rows >= sum(each.rows for each in coverage):
                text = f"the dry run named all {planned.rows:,} rows; nothing was dropped"
                drops.append(RetentionDrop(dimension=planned.dimension, before=None, rows=0, kept=text))
            else:
                earliest = min(each.earliest for each in coverage)
                rows = await self._drop(planned.dimension, earliest, planned.before)
                kept = planned.kept
                drops.append(RetentionDrop(dimension=planned.dimension, before=planned.before, rows=rows, kept=kept))
        return drops

    async def _drop(self, dimension: Dimension, earliest: datetime, before: datetime) -> int:
        """Drop chunk by chunk; the cache forgets its windows even where this fails half-way."""
        dropped = 0
        try:
            for moment in steps(earliest, before, dimension.chunk):
                self._heed_the_switch()
                dropped += await self._ask(DropRows(dimension, moment, dry_run=False), _DROP_TIMEOUT)
        finally:
            with anyio.move_on_after(_FORGET_TIMEOUT, shield=True):
                await self._forget()
        self.context.log.info("rows dropped", dimension=dimension.value, before=before.isoformat(), rows=dropped)
        return dropped

    async def _forget(self) -> None:
        try:
            await self._calls.ref("cache").ask(ForgetWindows(), _FORGET_TIMEOUT)
        except ActorError as error:
            self.context.log.warning("cache not told of dropped rows; its entries expire by themselves", why=str(error))

    async def _prune(self, *, apply: bool) -> dict[str, int]:
        """Delete published outbox rows and bad rows that are old enough, an hour of outbox at a time."""
        now = self.context.clock.now()
        retention = self.settings.retention
        published = now - timedelta(hours=retention.outbox_hours)
        bad = now - timedelta(days=retention.quarantine_days)
        oldest = await self._ask(ReadOutbox(0, 1)) if apply else []
        begin = min(oldest[0].created_at, published - _MICROSECOND) if oldest else published - _MICROSECOND
        pruned = {"outbox": 0}
        for moment in steps(begin, published, _HOUR) if apply else [published]:
            self._heed_the_switch()
            last = bad if moment == published else None
            found = await self._ask(PruneStore(moment, last, dry_run=not apply))
            pruned = {what: pruned.get(what, 0) + count for what, count in found.items()}
        return pruned

    async def _findings(self, stored: Stored, as_of: datetime) -> list[RetentionFinding]:
        findings = []
        for policy in self._policies:
            coverage = stored.get(policy.dimension, ())
            limit = self._cutoff(policy, coverage, as_of)
            findings += [await self._finding(policy, each, as_of, limit) for each in coverage]
        return sorted(findings, key=lambda finding: (-finding.status.severity, finding.dimension, finding.symbol))

    async def _finding(self, policy: Policy, each: Coverage, as_of: datetime, limit: Cutoff) -> RetentionFinding:
        begin, cap = judged_from(policy, each, as_of), as_of - policy.cap
        recent = await self._stamps(each, begin, as_of)
        old = await self._stamps(each, None, cap - _MICROSECOND) if each.earliest < cap else recent[:0]
        calendar = calendar_of(self.settings.quality, (each.symbol,))
        return judge(policy, each, recent, calendar, as_of, limit, int(old.size))

    async def _stamps(self, each: Coverage, start: datetime | None, end: datetime) -> Stamps:
        return cast("Stamps", await self._ask(ReadStamps(each.dimension, each.symbol, each.interval, start, end)))

    async def _ask(self, request: Any, timeout: float = _TIMEOUT) -> Any:
        return await self._calls.ask("store", request, timeout)


def _unread(unread: Mapping[Dimension, Reject]) -> str:
    if not unread:
        return ""
    dimension, reject = next(iter(unread.items()))
    return f"what is stored of {', '.join(unread)} could not be read ({dimension}: {reject.text})"


def _exists(path: str | None) -> bool:
    """Whether the kill switch is there; one that can't be looked at counts as there."""
    try:
        return path is not None and Path(path).exists()
    except OSError:
        return True
